// What the system counts of this process, under the names that Prometheus's own clients use.
#pragma once

#include "base/clock.h"
#include "metrics/registry.h"

#include <vector>

namespace weir::monitor {

class ProcessFigures {
 public:
  explicit ProcessFigures(const base::Clock& clock);

  // process_cpu_seconds_total, process_resident_memory_bytes and others, as of now, by name. What /proc does not tell is left out.
  // From one thread at a time.
  [[nodiscard]] std::vector<metrics::Sample> read() const;

 private:
  base::Timestamp started_ = 0;  // 0: unknown
};

}  // namespace weir::monitor
