#include "scan/metric_scan.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace weir::scan {

using base::Result;

Result<std::optional<base::TimeRange>> stored_time(std::span<const std::string> paths) {
  std::optional<base::TimeRange> range;
  for (const std::string& path : paths) {
    auto reader = spool::Reader::open(path);
    if (!reader) return std::move(reader).error();
    auto blocks = (*reader)->list({});
    if (!blocks) return std::move(blocks).error();
    for (const spool::BlockInfo& block : *blocks) {
      if (!range) range = base::TimeRange{block.min_timestamp, block.max_timestamp + 1};
      range->from = std::min(range->from, block.min_timestamp);
      range->to = std::max(range->to, block.max_timestamp + 1);
    }
  }
  return range;
}

Result<logql::MetricAnswer> evaluate(std::span<const std::string> paths, logql::MetricQuery& query, const Limits& limits,
                                     base::Diagnostics& diagnostics, const SpoolScan::Watch& watch, std::uint64_t& unreadable) {
  const base::TimeRange reads = query.reads();
  if (reads.from >= reads.to) return query.finish();
  // What every counted record passes anyway is asked of whole blocks.
  auto scan = SpoolScan::open(paths, query.common_filter(), reads, diagnostics);
  if (!scan) return std::move(scan).error();
  (*scan)->set_limits(limits);
  (*scan)->keep_as_stored();
  (*scan)->take_streams([&query](const record::LabelSet& labels) { return query.selects(labels); });
  if (watch) (*scan)->watch(watch);
  auto read = (*scan)->run([&](record::Batch& batch) -> Result<bool> {
    for (record::Record& record : batch.records) {
      if (auto ok = query.add(record, batch); !ok) return std::move(ok).error();
    }
    return true;
  });
  unreadable = (*scan)->unreadable_blocks();
  if (!read) return std::move(read).error();
  return query.finish();
}

}  // namespace weir::scan
