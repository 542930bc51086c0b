// A metric query over a spool.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "logql/metric_query.h"
#include "scan/spool_scan.h"

#include <cstdint>
#include <functional>
#include <string>

namespace weir::scan {

// The time of the records that a spool holds, rejected ones too; nullopt when it holds none. Errors: those of
// spool::Reader::open().
base::Result<std::optional<base::TimeRange>> stored_time(const std::string& path);

// Every record counts but rejected ones. `watch` (may be null) is SpoolScan's: false ends the reading, and the answer is that of
// the records so far. `unreadable` gets the number of blocks that could not be read, each of which `diagnostics` gets a message
// about. Errors: those of MetricQuery and SpoolScan.
base::Result<logql::MetricAnswer> evaluate(const std::string& path, logql::MetricQuery& query, base::Diagnostics& diagnostics,
                                           const SpoolScan::Watch& watch, std::uint64_t& unreadable);

}  // namespace weir::scan
