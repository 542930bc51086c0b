// Whether the clock of this machine may judge how old a record is in the eyes of the target. A record that is rejected for its age by a clock
// that is wrong is lost, and a record that is sent in vain costs a request.
//
// It may as long as nothing speaks against it: it was not set since it was looked at first, what the spool says of its last time does not doubt it,
// and where answers tell the target's own time, the two agree. Such an answer also makes it right again. While it may not, the target is asked.
#pragma once

#include "base/clock.h"

#include <cstdlib>

namespace weir::loki {

// A pure state machine, not thread safe.
class ClockTrust {
 public:
  static constexpr base::Duration kStep = 5 * base::kSecond;   // what is less may be a clock that is steered
  static constexpr base::Duration kAgree = base::kMinute;      // an answer tells whole seconds, and may have been under way for long

  ClockTrust(base::Monotonic now, base::Timestamp wall) : offset_(wall - now) {}

  // Something speaks against this clock.
  void doubt() { doubted_ = true; }

  // An answer that tells the target's time has come.
  void answered(base::Monotonic now, base::Timestamp wall, base::Timestamp theirs) {
    differs_ = theirs - wall;
    doubted_ = std::abs(differs_) > kAgree;
    offset_ = wall - now;
  }

  [[nodiscard]] bool may_judge(base::Monotonic now, base::Timestamp wall) const {
    return !doubted_ && std::abs(wall - now - offset_) <= kStep;
  }

  // By how much the target was ahead in the latest answer that told its time, when the two do not agree; else 0.
  [[nodiscard]] base::Duration off_by() const { return std::abs(differs_) > kAgree ? differs_ : 0; }

 private:
  bool doubted_ = false;
  base::Duration differs_ = 0;
  base::Duration offset_;  // of the wall clock to the monotonic one
};

}  // namespace weir::loki
