// What sources of `weir query` count beside their records.
#pragma once

#include "metrics/metric.h"

namespace weir::stages {

inline constexpr auto kQueryUnreadableBlocks = metrics::counter(
    "weir_query_unreadable_blocks_total", "blocks", "Blocks of the spool that could not be read.", metrics::Account::lost);
inline constexpr auto kQueryIncomplete =
    metrics::counter("weir_query_incomplete_timestamps_total", "timestamps", "Timestamps for which Loki does not give all entries.",
                     metrics::Account::lost);

}  // namespace weir::stages
