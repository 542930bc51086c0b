// Reads records back with LogQL: from a Loki, from spools, from both, or from records on standard input.
#pragma once

#include "base/clock.h"
#include "base/time_range.h"
#include "loki/query_client.h"
#include "pipeline/stage.h"
#include "scan/spool_scan.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::stages {

// Which labels and metadata the records of an answer keep.
struct LabelChoice {
  bool none = false;
  std::vector<std::string> include;  // only these; none given: all
  std::vector<std::string> exclude;
  [[nodiscard]] bool all() const { return !none && include.empty() && exclude.empty(); }
  [[nodiscard]] bool takes(std::string_view name) const;
};

struct QuerySpec {
  enum class What : std::uint8_t {
    records,
    labels,  // the names of labels, or the values of `label`
    series,  // label sets of streams
    stats,   // how much there is: streams, chunks or blocks, bytes, entries
    volume,  // bytes of streams, the largest first
    fields,  // what lines have beside labels: structured metadata, and what json or logfmt would extract
    values,  // the values of the field `label`
    format,  // the query itself, as Loki formats it: `logql`, or else what `input` has; nobody is asked
  };
  What what = What::records;
  std::string label;
  std::string logql;  // for labels and series, and Loki's stats and volume: a stream selector or ""

  // Who is asked: the records of `input`, else `spools`, else Loki.
  std::optional<int> input;         // a descriptor of JSON lines
  std::vector<std::string> spools;  // paths
  loki::QueryClientConfig loki;
  std::string with_spool;     // a spool that fills in what Loki lacks; ""
  scan::WantedTenant tenant;  // of `spools` and `input`; Loki's is in `loki`

  base::TimeRange range = {0, 0};  // both ends are fixed
  bool instant = false;            // a metric query at range.to alone
  base::Duration step = 0;         // the step of a metric query; 0: as Loki chooses
  // Of records, of sums of a volume, of fields or values; 0: all. Metric queries have no limit.
  std::uint64_t limit = 0;
  bool forward = false;         // the limit takes the oldest records, not the newest
  std::vector<std::string> by;  // the labels of a volume; none: those of the selector
  bool by_name = false;         // a volume for each name of a label
  std::uint64_t lines = 1000;   // how many of the newest lines are looked at for fields
  std::uint32_t page = 0;       // the most entries that are asked of Loki at a time; 0: as many as it gives
  scan::Limits scan;            // what reading spools may take
  LabelChoice labels;           // of the records
  bool json = false;            // everything but records as JSON values
  bool quiet = false;           // no summary
  std::string when_empty;       // the summary when nothing matched
};

// Emits the records oldest first, also without `forward`, in memory that does not grow with their number. What cannot be read
// completely is counted as lost and reported. Everything but records and samples comes as records with only a line, for raw output.
// The summary counts the records that the limit left out, or says why there are none. Errors: Code::config, for a query that cannot
// be compiled or asked there; those of a spool that cannot be opened.
base::Result<std::unique_ptr<pipeline::Source>> make_query(const QuerySpec& spec, const pipeline::Context& context);

// A scan of the spools of `spec`, for its tenant and within its limits, but for a query and a range of the caller's. Errors: those
// of scan::SpoolScan::open().
base::Result<std::unique_ptr<scan::SpoolScan>> open_scan(const QuerySpec& spec, const std::string& logql,
                                                         const base::TimeRange& range, const scan::Damage& damage);

}  // namespace weir::stages
