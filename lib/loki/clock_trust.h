// Whether the clock of this machine may judge how old a record is to the target. When a wrong clock rejects a record for its
// age, the record is lost. When a record is sent in vain, that costs only a request.
//
// The clock may judge while nothing speaks against it. Three things do: the clock was set since the start or since the last
// answer that gave a time, the spool's last time makes it doubtful, or the target's own time in an answer differs. An answer
// that agrees restores the trust. While the clock may not judge, the target does.
#pragma once

#include "base/clock.h"

#include <cstdlib>

namespace weir::loki {

// A pure state machine, not thread safe.
class ClockTrust {
 public:
  static constexpr base::Duration kStep = 5 * base::kSecond;  // a smaller step may be a clock that is being slewed
  static constexpr base::Duration kAgree = base::kMinute;     // an answer gives whole seconds, and may have travelled for long

  ClockTrust(base::Monotonic now, base::Timestamp wall) : offset_(wall - now) {}

  // The spool makes the clock doubtful.
  void doubt() { doubted_ = true; }

  // An answer has given the target's time.
  void answered(base::Monotonic now, base::Timestamp wall, base::Timestamp theirs) {
    differs_ = theirs - wall;
    doubted_ = std::abs(differs_) > kAgree;
    offset_ = wall - now;
  }

  [[nodiscard]] bool may_judge(base::Monotonic now, base::Timestamp wall) const {
    return !doubted_ && std::abs(wall - now - offset_) <= kStep;
  }

  // How far the target's clock was ahead in the latest answer that gave its time; 0 when the two clocks agree.
  [[nodiscard]] base::Duration off_by() const { return std::abs(differs_) > kAgree ? differs_ : 0; }

 private:
  bool doubted_ = false;
  base::Duration differs_ = 0;
  base::Duration offset_;  // wall clock minus monotonic clock
};

}  // namespace weir::loki
