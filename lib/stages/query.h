// Reads records back, from a Loki, or from a spool with the same LogQL.
#pragma once

#include "base/clock.h"
#include "base/time_range.h"
#include "loki/query_client.h"
#include "pipeline/stage.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::stages {

struct QuerySpec {
  enum class What : std::uint8_t {
    records,
    labels,  // the names of labels, or the values of `label`
    series,  // label sets of streams
  };
  What what = What::records;
  std::string label;
  std::string logql;                // for labels and series: a stream selector or ""
  loki::QueryClientConfig loki;     // used when there are no spools
  std::vector<std::string> spools;  // paths
  base::TimeRange range = {0, 0};   // both ends are fixed
  std::uint64_t limit = 0;          // 0: all. Metric queries have no limit
  bool forward = false;             // the limit takes the oldest records, not the newest
  base::Duration step = 0;          // the step of a metric query; 0: Loki chooses
  bool json = false;                // labels and series as JSON values
  std::string when_empty;           // the summary when nothing matched
};

// Emits the records oldest first, also without `forward`, in memory that does not grow with their number. What cannot be read
// completely is counted as lost and reported. Labels and series come as records with only a line, for raw output. The summary
// counts the records that the limit left out.
base::Result<std::unique_ptr<pipeline::Source>> make_query(const QuerySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
