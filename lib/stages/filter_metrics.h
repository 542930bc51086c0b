// Metrics that two files of filter count under.
#pragma once

#include "metrics/metric.h"

namespace weir::stages {

inline constexpr auto kFilterDropped = metrics::counter(
    "weir_filter_dropped_records_total", "records", "Records that filter dropped, by reason.", metrics::Account::dropped, "reason");

}  // namespace weir::stages
