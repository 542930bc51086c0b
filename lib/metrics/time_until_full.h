// When something that fills up will be full, at the rate of the last minutes.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <deque>

namespace weir::metrics {

// Not thread safe.
class TimeUntilFull {
 public:
  static constexpr base::Duration kOver = 5 * base::kMinute;      // how far it looks back
  static constexpr base::Duration kSpacing = 10 * base::kSecond;  // between two measurements that it keeps
  static constexpr base::Duration kLeast = 30 * base::kSecond;    // what it must have seen

  // So much is used now, in any unit. May be called at any times, in order.
  void add(base::Monotonic now, std::uint64_t used);

  // Nanoseconds from the latest measurement until `limit` is used. 0: it is. kInfinite: it does not grow, or it was not looked at
  // for long enough.
  [[nodiscard]] std::uint64_t until(std::uint64_t limit) const;

 private:
  struct Measured {
    base::Monotonic at;
    std::uint64_t used;
  };
  std::deque<Measured> measured_;  // at most kOver / kSpacing, and the latest
};

}  // namespace weir::metrics
