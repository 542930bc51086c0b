// How many bytes of bodies a server holds (Limits::bodies), and who holds them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace weir::httpd {

// Thread safe; outlives the server while an Exchange holds a body.
class Budget {
 public:
  explicit Budget(std::uint64_t most) : most_(most) {}

  // What one request holds of it; given back when this goes.
  class Share {
   public:
    Share() = default;
    explicit Share(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
    Share(Share&& other) noexcept : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      if (this != &other) give_back();
      budget_ = std::move(other.budget_);
      bytes_ = std::exchange(other.bytes_, 0);
      return *this;
    }
    ~Share() { give_back(); }

    // Takes more, up to `bytes` in all. False: the budget is used up.
    bool grow_to(std::uint64_t bytes) {
      if (bytes <= bytes_) return true;
      const std::uint64_t more = bytes - bytes_;
      if (budget_->used_.fetch_add(more, std::memory_order_relaxed) + more > budget_->most_) {
        budget_->used_.fetch_sub(more, std::memory_order_relaxed);
        return false;
      }
      bytes_ = bytes;
      return true;
    }

   private:
    void give_back() {
      if (bytes_ > 0) budget_->used_.fetch_sub(std::exchange(bytes_, 0), std::memory_order_relaxed);
    }
    std::shared_ptr<Budget> budget_;
    std::uint64_t bytes_ = 0;
  };

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> used_{0};
};

}  // namespace weir::httpd
