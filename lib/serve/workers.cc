#include "serve/workers.h"

#include "base/thread.h"

#include <malloc.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace weir::serve {
namespace {

class ThreadWorkers : public Workers {
 public:
  explicit ThreadWorkers(const Limits& limits) : limits_(limits) {}

  ~ThreadWorkers() override {
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      jobs_.clear();
      for (Slot& slot : slots_) threads.push_back(std::move(slot.thread));
    }
    wake_.notify_all();
    for (std::thread& thread : threads) {
      if (thread.joinable()) thread.join();
    }
  }

  bool add(std::function<void()> job) override {
    const std::lock_guard lock(mutex_);
    if (ending_) return false;
    if (jobs_.size() >= idle_) start();
    if (running_ == 0 || jobs_.size() >= idle_ + limits_.waiting) return false;
    jobs_.push_back(std::move(job));
    wake_.notify_one();
    return true;
  }

 private:
  // A thread, and whether it runs or has only to be joined.
  struct Slot {
    std::thread thread;
    bool runs = false;
  };

  // With the lock held. One more thread, if there may be one more.
  void start() {
    if (running_ >= limits_.threads) return;
    for (Slot& slot : slots_) {
      if (slot.runs) continue;
      slot.thread.join();
      return start_in(slot);
    }
    start_in(slots_.emplace_back());
  }
  void start_in(Slot& slot) {
    auto thread = base::start_thread("answer queries", [this, &slot] { run(slot); });
    if (!thread) return;
    slot.thread = std::move(*thread);
    slot.runs = true;
    ++running_;
    ++idle_;
  }

  void run(Slot& slot) {
    std::unique_lock lock(mutex_);
    while (true) {
      const bool woken = wake_.wait_for(lock, std::chrono::nanoseconds(limits_.rest), [this] { return ending_ || !jobs_.empty(); });
      if (ending_ || !woken) break;
      --idle_;
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
      ++idle_;
    }
    --idle_;
    const bool last = --running_ == 0;
    slot.runs = false;
    lock.unlock();
    // What queries took is given back to the system once there are none.
    if (last) ::malloc_trim(0);
  }

  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::deque<Slot> slots_;  // they do not move
  std::size_t running_ = 0, idle_ = 0;
  bool ending_ = false;
};

}  // namespace

std::unique_ptr<Workers> Workers::create(const Limits& limits) { return std::make_unique<ThreadWorkers>(limits); }

}  // namespace weir::serve
