// A metric query over one or several spools.
#pragma once

#include "base/result.h"
#include "logql/metric_query.h"
#include "scan/damage.h"
#include "scan/spool_scan.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace weir::scan {

// The time of the records that the spools hold, rejected ones too; nullopt when they hold none. Of one tenant: that of its records
// alone; the lists of streams of some blocks are read for that, and blocks whose list is damaged do not count. Errors: those of
// spool::Reader.
base::Result<std::optional<base::TimeRange>> stored_time(std::span<const std::string> paths, const WantedTenant& tenant = {});

// How a metric query is evaluated. What its answer may take is said by the logql::MetricLimits that it was compiled with.
struct MetricScan {
  Limits limits = {};
  WantedTenant tenant = {};
  SpoolScan::Watch watch = {};  // may be null; false ends the reading, and the answer is that of the records so far
};

// Every record of the tenant counts but rejected ones. `unreadable` gets the number of blocks that could not be read, each of which
// `damage` is told of. Errors: those of MetricQuery and SpoolScan.
base::Result<logql::MetricAnswer> evaluate(std::span<const std::string> paths, logql::MetricQuery& query, const MetricScan& how,
                                           Damage damage, std::uint64_t& unreadable);

}  // namespace weir::scan
