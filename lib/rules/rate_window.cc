#include "rules/rate_window.h"

#include <algorithm>
#include <limits>

namespace weir::rules {
namespace {

__extension__ using Wide = __int128;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t within_type(Wide value) {
  return static_cast<std::int64_t>(std::clamp<Wide>(value, std::numeric_limits<std::int64_t>::min(), kMost));
}

}  // namespace

RateWindows::RateWindows(const Limit& limit)
    : length_(std::max<base::Duration>(1, within_type(static_cast<Wide>(limit.burst) * limit.per /
                                                      static_cast<Wide>(std::max<std::uint64_t>(1, limit.amount))))),
      burst_(within_type(static_cast<Wide>(limit.burst))) {}

Window RateWindows::window(std::int64_t index) const {
  const Wide begin = static_cast<Wide>(index) * length_;
  return {index, within_type(begin), within_type(begin + length_)};
}

Window RateWindows::at(base::Timestamp time, base::Timestamp now) const {
  const Window own = window(floor_divide(time, length_));
  return static_cast<Wide>(own.begin) - now > kAhead ? window(floor_divide(now, length_)) : own;
}

bool RateWindows::admit(AgingTable& table, const base::Hash128& key, const Window& window, std::uint64_t size) const {
  const std::int64_t more = within_type(static_cast<Wide>(size));
  const base::Hash128 of_window = base::stable_hash(static_cast<std::uint64_t>(window.index), key);
  std::int64_t* counted = table.find(of_window);
  if (counted == nullptr) {
    table.add(of_window, more, window.end, window.begin);
    return true;
  }
  if (*counted != 0 && more > burst_ - *counted) return false;
  *counted += more;
  return true;
}

}  // namespace weir::rules
