// How far the wall clock was set while a spool had blocks: what is stored with the time of an older clock is corrected by it, so
// that records age by the time that passes.
//
// A step is known by the number of the newest block of its moment: all times stored up to there count as moved by it. It shows in
// the difference of the wall clock and the monotonic one, which is stored, so that it also shows between two writers of one run of
// the machine. After a reboot there is nothing but the gap since the newest block: when that is negative or longer than kPlausible,
// only kPlausible, or nothing, counts as time that has passed, and the rest as a step. A node that was really off for long keeps
// its records a little longer, which harms nobody.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <optional>

namespace weir::spool {

// A pure state machine, not thread safe.
class ClockSteps {
 public:
  static constexpr base::Duration kStep = 5 * base::kSecond;  // what is less may be a clock that is steered
  static constexpr base::Duration kPlausible = base::kHour;

  // As it was stored: `by` for all up to block `through`.
  void load(std::uint64_t through, base::Duration by) { steps_[through] += by; }

  // What the clock of `stored`, of a record of block `block`, would have shown if it had been today's.
  [[nodiscard]] base::Timestamp corrected(std::uint64_t block, base::Timestamp stored) const {
    for (auto step = steps_.lower_bound(block); step != steps_.end(); ++step) stored += step->second;
    return stored;
  }

  // A writer begins: `newest` is the block stored last, at the corrected time `at`; `before` is offset() of an earlier writer of
  // this run of the machine. The step that follows, 0 for none.
  base::Duration begin(const base::Clock& clock, std::uint64_t newest, base::Timestamp at, std::optional<base::Duration> before) {
    if (before) {
      offset_ = *before;
      return look(clock, newest);
    }
    offset_ = clock.wall() - clock.monotonic();
    if (newest == 0) return 0;
    const base::Duration gap = clock.wall() - at;
    return note(newest, gap < -kStep ? gap : gap > kPlausible ? gap - kPlausible : 0);
  }
  // Looks for a step since the last call; `newest` is the block stored last.
  base::Duration look(const base::Clock& clock, std::uint64_t newest) {
    const base::Duration offset = clock.wall() - clock.monotonic();
    const base::Duration moved = offset - offset_;
    offset_ = offset;
    return note(newest, moved < -kStep || moved > kStep ? moved : 0);
  }

  // Of the wall clock to the monotonic one.
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

  std::map<std::uint64_t, base::Duration> steps_, pending_;  // by the newest block of the moment
  base::Duration offset_ = 0;
};

}  // namespace weir::spool
