// The answer to a metric query over a Loki, and what it lacks out of a spool.
#pragma once

#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec with `with_spool` and a metric query. Loki is asked for the records that the query's ranges need, which are those
// of the whole time and of the ranges and offsets before it; they are merged with the spool's as those of a log query are
// (merged_source.h), and the metric is evaluated here. Each range of the query counts a record once. Ranges whose records another
// one needs anyway share a reading of Loki. What is emitted is as for a metric query over a spool (metric_answer.h). Errors: those
// of check_for_loki(), metric_times() and MetricQuery, and of a spool that cannot be opened.
base::Result<std::unique_ptr<pipeline::Source>> make_merged_metric(const QuerySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
