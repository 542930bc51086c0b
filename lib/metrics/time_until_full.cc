#include "metrics/time_until_full.h"

#include "metrics/metric.h"

namespace weir::metrics {

void TimeUntilFull::add(base::Monotonic now, std::uint64_t used) {
  // The latest one stays only until it is known whether the one before it is far enough away.
  const std::size_t size = measured_.size();
  if (size >= 2 && measured_[size - 1].at - measured_[size - 2].at < kSpacing) measured_.pop_back();
  measured_.push_back({now, used});
  while (measured_.size() > 2 && now - measured_.front().at > kOver) measured_.pop_front();
}

std::uint64_t TimeUntilFull::until(std::uint64_t limit) const {
  if (measured_.empty()) return kInfinite;
  const Measured& first = measured_.front();
  const Measured& last = measured_.back();
  if (last.used >= limit) return 0;
  if (last.used <= first.used || last.at - first.at < kLeast) return kInfinite;
  const double rate = static_cast<double>(last.used - first.used) / static_cast<double>(last.at - first.at);
  const double time = static_cast<double>(limit - last.used) / rate;
  // Beyond some centuries a number says no more than that.
  return time < 9e18 ? static_cast<std::uint64_t>(time) : kInfinite;
}

}  // namespace weir::metrics
