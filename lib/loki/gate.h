// Whether a target, or one tenant of it, may be sent to: it is open, or it fails and is tried by one request at a time, each after a
// wait. A pure state machine; who sends tells it the time and what became of each request.
#pragma once

#include "base/backoff.h"
#include "base/clock.h"

#include <algorithm>
#include <cstdint>

namespace weir::loki {

// Not thread safe.
class Gate {
 public:
  struct Limits {
    base::Backoff::Limits usual;                                                              // no answer in time, 408, 429, 5xx
    base::Backoff::Limits wrong{.base = 5 * base::kSecond, .ceiling = 2 * base::kMinute};     // 401, 403, 404, …
    // Nobody is there who could be burdened, and the log files that wait are deleted by their kubelet.
    base::Backoff::Limits unreachable{.base = base::kSecond / 2, .ceiling = 4 * base::kSecond};
  };
  enum class Trouble : std::uint8_t { passing, wrong, unreachable };

  Gate(const Limits& limits, std::uint64_t seed)
      : usual_(limits.usual, seed), wrong_(limits.wrong, seed + 1), unreachable_(limits.unreachable, seed + 2) {}

  [[nodiscard]] bool failing() const { return failing_; }
  [[nodiscard]] base::Monotonic since() const { return since_; }        // meaningful while it fails
  [[nodiscard]] base::Monotonic retry_at() const { return retry_at_; }  // the same
  // Another request may go beside those that are on their way through here.
  [[nodiscard]] bool admits(base::Monotonic now, int on_their_way) const { return !failing_ || (on_their_way == 0 && now >= retry_at_); }

  // A request that left at `sent` failed. Requests that were on their way together fail together: that is one failure.
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

  // A request that left at `sent` passed. For how long it had failed before, 0 when it had not or still does: one that was on its way when a
  // Retry-After came does not shorten that.
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
  base::Monotonic asked_until_ = 0;  // what the server asked for
};

}  // namespace weir::loki
