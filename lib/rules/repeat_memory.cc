#include "rules/repeat_memory.h"

#include "rules/rate_window.h"

#include <limits>

namespace weir::rules {

bool is_repetition(AgingTable& table, const base::Hash128& key, base::Timestamp time, base::Duration within) {
  const std::int64_t window = floor_divide(time, within);
  const auto of_window = [&](std::uint64_t index) { return base::stable_hash(index, key); };
  for (const std::uint64_t step : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1}}) {
    const std::int64_t* passed = table.find(of_window(static_cast<std::uint64_t>(window) + step));
    if (passed == nullptr) continue;
    // The difference as it is also where the type has no room for it.
    const std::uint64_t apart = *passed > time ? static_cast<std::uint64_t>(*passed) - static_cast<std::uint64_t>(time)
                                               : static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(*passed);
    if (apart < static_cast<std::uint64_t>(within)) return true;
  }
  constexpr base::Timestamp kLast = std::numeric_limits<base::Timestamp>::max();
  table.add(of_window(static_cast<std::uint64_t>(window)), time, time > kLast - within ? kLast : time + within, time);
  return false;
}

}  // namespace weir::rules
