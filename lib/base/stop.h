// Asking a running chain to end. SIGINT and SIGTERM ask once for a drain, a second one for leaving at once; so does SIGHUP where the terminal
// went that the process was started on, else it asks for a reload. Sources poll fd() beside their input; everything else looks at level() between two pieces of work, and whoever waits for
// somebody else gives up at deadline().
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace weir::base {

// Looks, for those below it who are blocked, whether what feeds the chain has died: they cannot read on to find its end.
class Feed {
 public:
  virtual ~Feed() = default;
  // True once it has died without having said all. Called by one thread at a time.
  virtual bool died() = 0;
};

// Methods may be called from any thread; request() also from a signal handler.
class Stop {
 public:
  enum Level : int { running = 0, drain = 1, leave = 2 };

  static Result<std::unique_ptr<Stop>> create();

  // Routes SIGINT, SIGTERM and SIGHUP of this process to `stop`, which must live as long as the process; ignores SIGPIPE, SIGXFSZ. A SIGINT
  // that the process was started to ignore stays ignored (as in the background of shells), and such a SIGHUP (nohup) does not end it.
  static Result<void> handle_signals(Stop& stop);

  [[nodiscard]] Level level() const { return static_cast<Level>(level_.load(std::memory_order_acquire)); }
  [[nodiscard]] bool stopped() const { return level() != running; }

  // Becomes readable at the first request and stays so. Never read from it.
  [[nodiscard]] int fd() const { return event_.get(); }

  // The signal of the first request, 0 without one: 130, 143 or 129 as exit code come from it.
  [[nodiscard]] int signal() const { return signal_.load(std::memory_order_acquire); }

  // Raises the level by one, up to `leave`. Async-signal-safe.
  void request(int signal_number = 0);

  // How long a drain may take. Set before anything runs; the longest of several counts.
  void allow(Duration patience);

  // When whoever waits must give up: kNever while nobody asked the chain to end and what feeds it lives. The first call after a request
  // settles it at now + patience; `now` itself at the level `leave`.
  [[nodiscard]] Monotonic deadline(Monotonic now) const;

  // What feeds the chain died. What it had not passed on will be read again, so that nothing is worth a long wait.
  static constexpr Duration kAfterDeath = 2 * kSecond;
  void feed_died(Monotonic now) const;
  [[nodiscard]] bool feed_has_died() const { return feed_has_died_.load(std::memory_order_acquire); }

  // deadline() asks `feed`, too, until the next call; nullptr for none.
  void watch(Feed* feed);

  // Counts SIGHUPs: whoever reloads remembers the number it saw. Async-signal-safe.
  void request_reload() { reloads_.fetch_add(1, std::memory_order_acq_rel); }
  [[nodiscard]] int reloads() const { return reloads_.load(std::memory_order_acquire); }

 private:
  Stop() = default;
  void settle(Monotonic deadline) const;

  UniqueFd event_;
  std::atomic<int> level_{running};
  std::atomic<int> signal_{0};
  std::atomic<int> reloads_{0};
  std::atomic<Duration> patience_{10 * kSecond};
  mutable std::atomic<Monotonic> deadline_{kNever};
  mutable std::atomic<bool> feed_has_died_{false};
  mutable std::mutex feed_mutex_;
  Feed* feed_ = nullptr;
};

}  // namespace weir::base
