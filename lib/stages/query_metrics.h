// What all sources of `weir query` count.
#pragma once

#include "metrics/metric.h"

namespace weir::stages {

inline constexpr auto kQueryUnreadableBlocks = metrics::counter(
    "weir_query_unreadable_blocks_total", "blocks", "Blocks of the spool that could not be read.", metrics::Account::lost);

}  // namespace weir::stages
