// Whether requests may go to a target, or to one tenant of it.
//
// States:
// - open: requests go without limit.
// - failing: one request at a time tries the target, and only after a wait. The waits grow; there is one series for each kind
//   of trouble.
//
// Events: failed() and passed(), each with the time at which the request left. The sender reports them.
//
// Invariants:
// - Requests that were in flight together and fail together are one failure, so the wait grows once. A Retry-After in a later
//   one of these answers still counts.
// - While the gate fails, `retry_at` never moves to an earlier time.
// - A success opens the gate and resets all waits. The exception is a request that left before the latest failure: it does not
//   cut short the Retry-After that the server asked for.
//
// Why: a target that fails has trouble already, and one small request is enough to learn that the trouble is over.
#pragma once

#include "base/backoff.h"
#include "base/clock.h"

#include <algorithm>
#include <cstdint>

namespace weir::loki {

// A pure state machine. Not thread safe.
class Gate {
 public:
  struct Limits {
    base::Backoff::Limits usual;                                                           // no answer in time, 408, 429, 5xx
    base::Backoff::Limits wrong{.base = 5 * base::kSecond, .ceiling = 2 * base::kMinute};  // 401, 403, 404, …
    // Kept short: no server bears the load of these tries, and the kubelet deletes the log files that wait.
    base::Backoff::Limits unreachable{.base = base::kSecond / 2, .ceiling = 4 * base::kSecond};
  };
  enum class Trouble : std::uint8_t { passing, wrong, unreachable };

  Gate(const Limits& limits, std::uint64_t seed)
      : usual_(limits.usual, seed), wrong_(limits.wrong, seed + 1), unreachable_(limits.unreachable, seed + 2) {}

  [[nodiscard]] bool failing() const { return failing_; }
  [[nodiscard]] base::Monotonic since() const { return since_; }        // only meaningful while it fails
  [[nodiscard]] base::Monotonic retry_at() const { return retry_at_; }  // only meaningful while it fails
  // Whether another request may go beside `on_their_way` requests that are in flight through this gate.
  [[nodiscard]] bool admits(base::Monotonic now, int on_their_way) const {
    return !failing_ || (on_their_way == 0 && now >= retry_at_);
  }

  // A request that left at `sent` failed.
  void failed(base::Monotonic sent, base::Monotonic now, Trouble trouble, base::Duration retry_after) {
    const bool another = !failing_ || sent >= failed_at_;
    if (!failing_) since_ = now;
    failing_ = true;
    if (!another && retry_after <= 0) return;
    base::Backoff& backoff = trouble == Trouble::wrong ? wrong_ : trouble == Trouble::unreachable ? unreachable_ : usual_;
    retry_at_ = std::max(retry_at_, base::after(now, backoff.next(retry_after)));
    failed_at_ = now;
    if (retry_after > 0) asked_until_ = std::max(asked_until_, base::after(now, retry_after));
  }

  // A request that left at `sent` passed. Returns how long the gate had failed; 0 when it was open, or when it stays closed
  // because of a Retry-After.
  base::Duration passed(base::Monotonic now, base::Monotonic sent = base::kNever) {
    if (failing_ && sent < failed_at_ && now < asked_until_) return 0;
    usual_.reset();
    wrong_.reset();
    unreachable_.reset();
    if (!failing_) return 0;
    failing_ = false;
    retry_at_ = asked_until_ = 0;
    return std::max<base::Duration>(1, now - since_);
  }

 private:
  base::Backoff usual_, wrong_, unreachable_;
  bool failing_ = false;
  base::Monotonic since_ = 0, retry_at_ = 0, failed_at_ = 0;
  base::Monotonic asked_until_ = 0;  // the end of the wait that the server asked for
};

}  // namespace weir::loki
