// What repeated runs have found, for a scrape.
#pragma once

#include "base/clock.h"
#include "metrics/registry.h"
#include "smoke/report.h"

namespace weir::smoke {

// For the thread that runs. The registry (may be null) outlives it.
class SmokeMetrics {
 public:
  explicit SmokeMetrics(metrics::Registry* registry);
  // A run has ended at `now`.
  void add(const Outcome& outcome, base::Timestamp now);

 private:
  metrics::Block block_;
  metrics::Family runs_, faults_;
  metrics::Counter sent_, arrived_;
  metrics::Histogram latency_;
  metrics::Gauge p99_, last_run_, last_success_;
};

}  // namespace weir::smoke
