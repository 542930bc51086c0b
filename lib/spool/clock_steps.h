// How far the wall clock was set while the spool held blocks. The times of blocks that were stored before such a step are corrected
// by it, so that records age by the time that really passes.
//
// A step is stored with the number of the newest block at that moment: it applies to all blocks up to that number. A step is found
// by comparing the difference between the wall clock and the monotonic clock with the difference before. The difference is stored,
// so that a step between two writers is found as well, until the machine reboots. After a reboot there is only the gap since the
// newest block. Of a gap longer than kPlausible, only kPlausible counts as time that passed; a negative gap counts as a step as a
// whole. A node that was really off for long keeps its records a little longer, which does no harm.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <optional>

namespace weir::spool {

// A pure state machine, not thread safe.
class ClockSteps {
 public:
  static constexpr base::Duration kStep = 5 * base::kSecond;  // a smaller change may be NTP that adjusts the clock
  static constexpr base::Duration kPlausible = base::kHour;

  // Adds a stored step: `by` applies to all blocks up to `through`.
  void load(std::uint64_t through, base::Duration by) { steps_[through] += by; }

  // The time `stored` of block `block`, corrected by all steps since.
  [[nodiscard]] base::Timestamp corrected(std::uint64_t block, base::Timestamp stored) const {
    for (auto step = steps_.lower_bound(block); step != steps_.end(); ++step) stored += step->second;
    return stored;
  }

  // Call it when a writer starts. `newest` is the block stored last, at the corrected time `at`. `before` is offset() of an earlier
  // writer since the same boot. Returns the step that this shows, 0 for none.
  base::Duration begin(const base::Clock& clock, std::uint64_t newest, base::Timestamp at, std::optional<base::Duration> before) {
    if (before) {
      offset_ = *before;
      return update(clock, newest);
    }
    offset_ = clock.wall() - clock.monotonic();
    if (newest == 0) return 0;
    const base::Duration gap = clock.wall() - at;
    return note(newest, gap < -kStep ? gap : gap > kPlausible ? gap - kPlausible : 0);
  }
  // Returns the step since the last call, 0 for none. `newest` is the block stored last.
  base::Duration update(const base::Clock& clock, std::uint64_t newest) {
    const base::Duration offset = clock.wall() - clock.monotonic();
    const base::Duration moved = offset - offset_;
    offset_ = offset;
    return note(newest, moved < -kStep || moved > kStep ? moved : 0);
  }

  // The wall clock less the monotonic clock.
  [[nodiscard]] base::Duration offset() const { return offset_; }
  // Steps that are not stored yet, by block; stored() says that they are.
  [[nodiscard]] const std::map<std::uint64_t, base::Duration>& pending() const { return pending_; }
  void stored() { pending_.clear(); }

 private:
  base::Duration note(std::uint64_t through, base::Duration by) {
    if (by == 0) return 0;
    steps_[through] += by;
    pending_[through] += by;
    return by;
  }

  std::map<std::uint64_t, base::Duration> steps_, pending_;  // by the newest block at the time of the step
  base::Duration offset_ = 0;
};

}  // namespace weir::spool
