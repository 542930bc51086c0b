// Asking a running chain to end. SIGINT and SIGTERM ask once for a drain, a second one for leaving at once. SIGHUP asks for
// a drain when the terminal of the process has closed, and for a reload otherwise. Sources poll fd() beside their input; everything
// else looks at level() between two pieces of work, and whoever waits for somebody else gives up at deadline().
//
// A child ends a part of what its parent ends: `run` gives one to each pipeline, so that one can be replaced while the others go
// on.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>

namespace weir::base {

// Checks whether the process that feeds the chain has died, for stages that are blocked and cannot read on to find the end.
class Feed {
 public:
  virtual ~Feed() = default;
  // True once it has died before its end marker. Called by one thread at a time.
  virtual bool died() = 0;
};

// Methods may be called from any thread; request() also from a signal handler.
class Stop {
 public:
  enum Level : int { running = 0, drain = 1, leave = 2 };

  static Result<std::unique_ptr<Stop>> create();

  // A Stop that a request to `parent` raises as well, while its own requests leave the parent alone. Patience and feed are its own.
  // The parent must outlive it.
  static Result<std::unique_ptr<Stop>> create_child(const Stop& parent);

  // Keeps a SIGHUP back until handle_signals(), so that a reload which is asked for at the very start is remembered instead of
  // ending the process. The first call of main().
  static void hold_back_hangup();

  // Routes SIGINT, SIGTERM and SIGHUP of this process to `stop`, which must live as long as the process; ignores SIGPIPE, SIGXFSZ.
  // A SIGINT that the process was started to ignore stays ignored (as in the background of shells), and such a SIGHUP (nohup) does
  // not end it. A drain that takes more than a second is announced once on stderr (SIGALRM).
  static Result<void> handle_signals(Stop& stop);

  [[nodiscard]] Level level() const {
    const auto own = static_cast<Level>(level_.load(std::memory_order_acquire));
    return parent_ == nullptr ? own : std::max(own, parent_->level());
  }
  [[nodiscard]] bool stopped() const { return level() != running; }

  // Becomes readable at the first request and stays so. Never read from it.
  [[nodiscard]] int fd() const { return either_ ? either_.get() : event_.get(); }

  // The signal of the first request, 0 without one: 130, 143 or 129 as exit code come from it. A child has that of its parent.
  [[nodiscard]] int signal() const { return parent_ != nullptr ? parent_->signal() : signal_.load(std::memory_order_acquire); }

  // Raises the level by one, up to `leave`. Async-signal-safe.
  void request(int signal_number = 0);

  // How long a drain may take. Set before anything runs; the longest of several counts.
  void allow(Duration patience);
  // The longest that was allowed to it and its children; 0 before.
  [[nodiscard]] Duration longest_patience() const { return longest_patience_.load(std::memory_order_acquire); }

  // When whoever waits must give up: kNever while nobody asked the chain to end and what feeds it lives. The first call after a
  // request settles it at now + patience; `now` itself at the level `leave`.
  [[nodiscard]] Monotonic deadline(Monotonic now) const;

  // What feeds the chain died. What it had not passed on will be read again, so that nothing is worth a long wait.
  static constexpr Duration kAfterDeath = 2 * kSecond;
  void feed_died(Monotonic now) const;
  [[nodiscard]] bool feed_has_died() const { return feed_has_died_.load(std::memory_order_acquire); }

  // deadline() asks `feed`, too, until the next call; nullptr for none.
  void watch(Feed* feed);

  // Counts SIGHUPs: whoever reloads remembers the number it saw. Async-signal-safe. A child has those of its parent.
  void request_reload();
  [[nodiscard]] int reloads() const { return parent_ != nullptr ? parent_->reloads() : reloads_.load(std::memory_order_acquire); }
  // An event descriptor that is written at each of them, for Wake::watch_event(). Never read from it.
  [[nodiscard]] int reload_fd() const { return parent_ != nullptr ? parent_->reload_fd() : reload_event_.get(); }

 private:
  Stop() = default;
  void settle(Monotonic deadline) const;

  const Stop* parent_ = nullptr;
  UniqueFd event_;
  UniqueFd reload_event_;
  UniqueFd either_;  // of a child: readable when its own event is, or the parent's
  std::atomic<int> level_{running};
  std::atomic<int> signal_{0};
  std::atomic<int> reloads_{0};
  std::atomic<Duration> patience_{10 * kSecond};
  mutable std::atomic<Duration> longest_patience_{0};
  mutable std::atomic<Monotonic> deadline_{kNever};
  mutable std::atomic<bool> feed_has_died_{false};
  mutable std::mutex feed_mutex_;
  Feed* feed_ = nullptr;
};

}  // namespace weir::base
