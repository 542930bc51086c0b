// Memory of records that wait to be sent: byte strings that grow by small pages of one pool. A thousand streams with a few
// lines each, or one stream with many, cost only what they hold. Growing moves nothing, and the heap does not fragment.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::loki {

// Gives pages out and takes them back. Thread safe.
class PagePool {
 public:
  static constexpr std::size_t kPage = 4096;

  [[nodiscard]] char* take();
  void give_back(const std::vector<char*>& pages);
  // Returns memory to the system: the pages that nobody has needed since the last call, except half a MiB. That rest stays
  // because a steady flow varies, and a fresh page costs more than what is written into it. True when a later call would find
  // more.
  bool trim();
  [[nodiscard]] std::size_t pages_in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kSlab = 32;   // pages
  static constexpr std::size_t kKept = 128;  // pages
  std::mutex mutex_;
  std::atomic<std::size_t> in_use_{0};
  struct Free {
    void operator()(char* slab) const;
  };
  std::vector<std::unique_ptr<char, Free>> slabs_;
  std::vector<char*> free_;         // the page that came back last goes out first
  std::size_t unneeded_ = 0;        // pages at the front of free_ that are free since the last trim()
  std::size_t without_memory_ = 0;  // of the unneeded ones, those whose memory went back to the system
};

// A byte string that is appended to, then read as a sequence of fragments. Not thread safe. The pool must outlive it.
class PageBuffer {
 public:
  explicit PageBuffer(PagePool& pool) : pool_(&pool) {}
  PageBuffer(PageBuffer&& other) noexcept
      : pool_(other.pool_), pages_(std::exchange(other.pages_, {})), size_(std::exchange(other.size_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(pages_, other.pages_);
    std::swap(size_, other.size_);
    return *this;
  }
  PageBuffer(const PageBuffer&) = delete;  // owns pages
  PageBuffer& operator=(const PageBuffer&) = delete;
  ~PageBuffer() { clear(); }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t at = size_ % PagePool::kPage;
      if (at == 0) pages_.push_back(pool_->take());
      const std::size_t count = std::min(bytes.size(), PagePool::kPage - at);
      std::memcpy(pages_.back() + at, bytes.data(), count);
      size_ += count;
      bytes.remove_prefix(count);
    }
  }
  // Room for `size` bytes in one piece; the caller must fill all of it. Null when the current page has too little room: use
  // append() then.
  [[nodiscard]] char* room(std::size_t size) {
    const std::size_t at = size_ % PagePool::kPage;
    if (at == 0 || at + size > PagePool::kPage) return nullptr;
    size_ += size;
    return pages_.back() + at;
  }
  void clear() {
    if (!pages_.empty()) pool_->give_back(pages_);
    pages_.clear();
    size_ = 0;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t fragments() const { return pages_.size(); }
  [[nodiscard]] std::string_view fragment(std::size_t index) const {
    return {pages_[index], std::min(PagePool::kPage, size_ - index * PagePool::kPage)};
  }

 private:
  PagePool* pool_;
  std::vector<char*> pages_;
  std::size_t size_ = 0;
};

}  // namespace weir::loki
