#include "scan/metric_scan.h"

#include "scan/ordered_scan.h"
#include "scan/sample_matcher.h"
#include "scan/spool_set.h"

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
  auto spools = SpoolSet::open(paths, reads, diagnostics);
  if (!spools) return std::move(spools).error();
  const MakeMatcher matcher = [&query]() -> Result<std::unique_ptr<Matcher>> {
    auto another = query.again();
    if (!another) return std::move(another).error();
    return std::unique_ptr<Matcher>(std::make_unique<SampleMatcher>(std::move(*another)));
  };
  const WantedState wanted = [](spool::State state) { return state != spool::State::rejected; };
  auto scan = OrderedScan::make(*spools, {.matcher = matcher, .wanted = wanted, .limits = limits, .watch = watch});
  if (!scan) return std::move(scan).error();
  auto read = (*scan)->run(reads, 0, {}, [&](record::Batch& batch) -> Result<bool> {
    for (const record::Record& record : batch.records) {
      const PackedSample packed = PackedSample::of(record);
      if (auto ok = query.add(packed.range, packed.sample); !ok) return std::move(ok).error();
    }
    return true;
  });
  spools->say_evicted();
  unreadable = spools->unreadable();
  if (!read) return std::move(read).error();
  return query.finish();
}

}  // namespace weir::scan
