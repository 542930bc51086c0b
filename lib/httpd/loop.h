// The thread of a server, as other threads see it: they hand it work, for as long as it is there.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace weir::httpd {

// Shared by the server and by whoever may outlive it. Thread safe.
class Loop {
 public:
  // `hand_over` gives work to the server's thread; it may be called from any thread until end().
  explicit Loop(std::function<void(std::function<void()>)> hand_over) : hand_over_(std::move(hand_over)) {}

  // Runs `work` on the server's thread, after what was posted before. False: the server has ended, and it never runs.
  bool post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (!hand_over_) return false;
    hand_over_(std::move(work));
    return true;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    hand_over_ = nullptr;
  }

 private:
  std::mutex mutex_;
  std::function<void(std::function<void()>)> hand_over_;
};

}  // namespace weir::httpd
