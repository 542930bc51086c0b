// A metric query over one or several spools.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "logql/metric_query.h"
#include "scan/spool_scan.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace weir::scan {

// The time of the records that the spools hold, rejected ones too; nullopt when they hold none. Errors: those of
// spool::Reader::open().
base::Result<std::optional<base::TimeRange>> stored_time(std::span<const std::string> paths);

// Every record counts but rejected ones. `watch` may be null; false ends the reading, and the answer is that of
// the records so far. `unreadable` gets the number of blocks that could not be read, each of which `diagnostics` gets a message
// about. Errors: those of MetricQuery and SpoolScan.
base::Result<logql::MetricAnswer> evaluate(std::span<const std::string> paths, logql::MetricQuery& query, const Limits& limits,
                                           base::Diagnostics& diagnostics, const SpoolScan::Watch& watch,
                                           std::uint64_t& unreadable);

}  // namespace weir::scan
