// The answer to a metric query over a spool, as records.
#pragma once

#include "logql/metric_query.h"
#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec with spools and a metric query: emits one sample record for each point of each series, series by series, as a
// query of Loki does. Where the range has no beginning or no end, it is that of what the spools hold. Points are `spec.step` apart,
// or as far as Loki would choose, and lie on multiples of that, as in Loki. With `instant` there is one point, at the end of the
// range. Errors: those of MetricQuery::compile() and of a spool that cannot be opened.
base::Result<std::unique_ptr<pipeline::Source>> make_spool_metric(const QuerySpec& spec, const pipeline::Context& context);

// The points of time at which the metric query of `spec` is evaluated, for a range with both ends. Error: Code::config for more
// than Loki gives.
base::Result<logql::MetricTimes> metric_times(const QuerySpec& spec, const base::TimeRange& range);

}  // namespace weir::stages
