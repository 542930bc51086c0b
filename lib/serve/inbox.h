// Push requests on their way from the server's thread to the thread that drives the chain, which stores them and answers.
//
// Bounded: what has no room is answered 503 with Retry-After, and so is what comes while the chain has been at work on one thing
// for longer than Limits::patience, because the spool is full or its disk does not answer. A client that sends again then is taken
// once.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "httpd/exchange.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace weir::serve {

class Inbox {
 public:
  struct Limits {
    std::size_t requests = 512;      // that wait
    std::uint64_t bytes = 32 << 20;  // of their bodies
    base::Duration patience = 5 * base::kSecond;
  };
  // The clock outlives it. Error: io, no descriptor is left.
  static base::Result<std::unique_ptr<Inbox>> create(const Limits& limits, const base::Clock& clock);

  // From any thread. Answers what it does not take.
  void put(std::shared_ptr<httpd::Exchange> exchange);

  // For the chain's thread.

  // Readable while a request waits.
  [[nodiscard]] int fd() const { return event_.get(); }
  // The next one, oldest first; null for none. Leaves out those whose client is gone: nobody would learn that they were stored, and
  // the client sends them again.
  std::shared_ptr<httpd::Exchange> take();
  // Between these two calls the thread works on something that may take long.
  void begin_work() { working_since_.store(clock_.monotonic(), std::memory_order_relaxed); }
  void end_work() { working_since_.store(base::kNever, std::memory_order_relaxed); }
  // The thread has been at work for longer than `patience`. From any thread.
  [[nodiscard]] bool is_stuck() const;
  // Answers those that wait with 503 and this text.
  void refuse_waiting(const std::string& why);
  // From now on every request is answered with 503 and this text, also those that wait.
  void close(const std::string& why);

 private:
  Inbox(const Limits& limits, const base::Clock& clock) : limits_(limits), clock_(clock) {}

  const Limits limits_;
  const base::Clock& clock_;
  base::UniqueFd event_;
  std::atomic<base::Monotonic> working_since_{base::kNever};
  std::mutex mutex_;
  std::deque<std::shared_ptr<httpd::Exchange>> waiting_;  // guarded by mutex_, as is what follows
  std::uint64_t bytes_ = 0;
  std::string closed_;  // why; "" while it is open
};

inline constexpr std::string_view kStuck = "nothing can be stored at the moment: the spool is full, or its disk does not answer\n";

// 503 with Retry-After.
[[nodiscard]] httpd::Response try_later(std::string text);

}  // namespace weir::serve
