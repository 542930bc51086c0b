// What a scrape shows of the requests that read the store.
#pragma once

#include "base/clock.h"
#include "metrics/registry.h"

#include <cstdint>
#include <mutex>

namespace weir::serve {

// How a request ended.
enum class QueryOutcome : std::uint8_t {
  ok,
  refused,     // the client's mistake: 4xx
  overloaded,  // too many waited: 429
  timeout,     // 504, and a view that shows what it has
  gone,        // its client left
  stopped,     // the server ends: 503
  failed,      // the spool could not be read
};
[[nodiscard]] QueryOutcome outcome_of(int status);

// Thread safe.
class QueryMetrics {
 public:
  // The registry (may be null) outlives it.
  explicit QueryMetrics(metrics::Registry* registry);

  // A worker has begun a request.
  void begin();
  // The worker has ended it. `taken`: since the request came.
  void end(QueryOutcome outcome, base::Duration taken);
  // No worker got it.
  void refuse(QueryOutcome outcome);

 private:
  std::mutex mutex_;  // guards all that follows: one thread at a time writes
  metrics::Block block_;
  metrics::Family queries_;
  metrics::Gauge running_;
  metrics::Histogram durations_;
};

}  // namespace weir::serve
