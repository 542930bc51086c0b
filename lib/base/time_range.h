// A span of time.
#pragma once

#include "base/clock.h"

#include <limits>

namespace weir::base {

// Half open, as in Loki: from <= timestamp < to. Everything where nothing is said.
struct TimeRange {
  static constexpr Timestamp kBeginning = std::numeric_limits<Timestamp>::min();
  static constexpr Timestamp kForever = std::numeric_limits<Timestamp>::max();
  Timestamp from = kBeginning;
  Timestamp to = kForever;

  [[nodiscard]] bool contains(Timestamp time) const { return from <= time && time < to; }
  [[nodiscard]] bool touches(Timestamp min, Timestamp max) const { return min < to && max >= from; }
};

}  // namespace weir::base
