#include "base/backoff.h"

#include <algorithm>

namespace weir::base {

Duration Backoff::next(Duration retry_after) {
  Duration cap = limits_.base;
  for (int i = 0; i < attempts_ && cap < limits_.ceiling; ++i) cap *= 2;
  cap = std::min(cap, limits_.ceiling);
  if (attempts_ < 62) ++attempts_;
  const Duration jittered = std::uniform_int_distribution<Duration>(0, cap)(random_);
  if (retry_after <= 0) return jittered;
  return std::max(jittered, retry_after + std::uniform_int_distribution<Duration>(0, retry_after / 10)(random_));
}

}  // namespace weir::base
