// Asking a running chain to end. SIGINT and SIGTERM ask once for a drain, a second one for leaving at once; SIGHUP asks for
// a reload. Sources poll fd() beside their input; everything else looks at level() between two pieces of work.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <atomic>
#include <memory>

namespace weir::base {

// Methods may be called from any thread; request() also from a signal handler.
class Stop {
 public:
  enum Level : int { running = 0, drain = 1, leave = 2 };

  static Result<std::unique_ptr<Stop>> create();

  // Routes SIGINT, SIGTERM and SIGHUP of this process to `stop`, which must live as long as the process; ignores SIGPIPE.
  static Result<void> handle_signals(Stop& stop);

  [[nodiscard]] Level level() const { return static_cast<Level>(level_.load(std::memory_order_acquire)); }
  [[nodiscard]] bool stopped() const { return level() != running; }

  // Becomes readable at the first request and stays so. Never read from it.
  [[nodiscard]] int fd() const { return event_.get(); }

  // The signal of the first request, 0 without one: 130 or 143 as exit code come from it.
  [[nodiscard]] int signal() const { return signal_.load(std::memory_order_acquire); }

  // Raises the level by one, up to `leave`. Async-signal-safe.
  void request(int signal_number = 0);

  // Counts SIGHUPs: whoever reloads remembers the number it saw. Async-signal-safe.
  void request_reload() { reloads_.fetch_add(1, std::memory_order_acq_rel); }
  [[nodiscard]] int reloads() const { return reloads_.load(std::memory_order_acquire); }

 private:
  Stop() = default;
  UniqueFd event_;
  std::atomic<int> level_{running};
  std::atomic<int> signal_{0};
  std::atomic<int> reloads_{0};
};

}  // namespace weir::base
