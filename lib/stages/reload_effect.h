// What a reload of rules did to the flow: the share that the new rules drop of what passed in the minute before.
//
//   before the reload   of all records that came in the last minute, a share passed
//   after it            of what came since, up to a minute, another share passes
//   effect              1 - the second share / the first one, and 0 where more passes than before
//
// Records are not judged twice for this: it compares shares, so it is right where the mix of records stays the same. A reload soon
// after another one is compared with what was before it. The effect is shown for an hour.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <deque>

namespace weir::stages {

// Not thread safe. Costs nothing until the first call.
class ReloadEffect {
 public:
  static constexpr base::Duration kWindow = base::kMinute;
  static constexpr base::Duration kShown = base::kHour;
  static constexpr std::uint64_t kLeast = 100;  // records before and after, for a share to mean something

  // So many records came and passed up to now. Once a batch.
  void add(base::Monotonic now, std::uint64_t came, std::uint64_t passed);
  // From now on other rules judge.
  void reloaded(base::Monotonic now);
  // 0 to 1.
  [[nodiscard]] double dropped(base::Monotonic now) const;

 private:
  static constexpr base::Duration kSlot = 5 * base::kSecond;
  struct Flow {
    std::uint64_t came = 0, passed = 0;
    [[nodiscard]] double share() const { return static_cast<double>(passed) / static_cast<double>(came); }
  };
  struct Slot {
    base::Monotonic begin;
    Flow flow;
  };
  std::deque<Slot> slots_;  // of the last minute, by the rules at hand
  Flow before_, since_;
  base::Monotonic reloaded_at_ = base::kNever;
};

}  // namespace weir::stages
