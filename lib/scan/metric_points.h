// At which points of time a metric query over a range is evaluated, where nobody says more: as Loki chooses them.
#pragma once

#include "base/clock.h"

#include <algorithm>

namespace weir::scan {

inline constexpr base::Duration kMostPoints = 11'000;  // Loki's limit

// The step for a range of this length: 250 points, and no step below a second.
[[nodiscard]] inline base::Duration default_step(base::Duration length) {
  return std::max<base::Duration>(length / (250 * base::kSecond), 1) * base::kSecond;
}

}  // namespace weir::scan
