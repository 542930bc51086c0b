// What `dedup` asks: whether a record of the same key passed within so much record time, before or after. So of equal records that
// pass no two are closer than that, however records arrive, and one line with a wrong time stands in the way of those near it only.
//
// Time is cut into windows of the length asked for. In one window at most one record of a key passed, and those that are near
// enough are in the same window or in the ones beside it.
#pragma once

#include "rules/aging_table.h"

namespace weir::rules {

// Notes a record that is no repetition. `within` > 0.
[[nodiscard]] bool is_repetition(AgingTable& table, const base::Hash128& key, base::Timestamp time, base::Duration within);

}  // namespace weir::rules
