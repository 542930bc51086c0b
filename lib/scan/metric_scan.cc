#include "scan/metric_scan.h"

#include "scan/ordered_scan.h"
#include "scan/sample_matcher.h"
#include "scan/spool_set.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace weir::scan {

using base::Result;

namespace {

using spool::BlockInfo;
using spool::StreamInfo;

// The end of a time whose last record has this one. Of the last moment that there is, no range has a record.
base::Timestamp end_behind(base::Timestamp last) { return last == base::TimeRange::kForever ? last : last + 1; }

// The blocks by the time at which `first` says that their records may begin; those whose time cannot be earlier than what was found
// are not opened. `time` is what it says about streams.
template <typename OfBlock, typename OfStream>
Result<std::optional<base::Timestamp>> earliest(spool::Reader& reader, std::vector<BlockInfo>& blocks, const std::string& tenant,
                                                OfBlock first, OfStream time) {
  std::optional<base::Timestamp> found;
  std::ranges::sort(blocks, {}, first);
  for (const BlockInfo& block : blocks) {
    if (found && *found <= first(block)) break;
    auto streams = reader.streams(block.id);
    if (!streams) {
      if (streams.error().code != base::Code::corrupt) return std::move(streams).error();
      continue;
    }
    for (const StreamInfo& stream : *streams) {
      if (stream.tenant == tenant) found = found ? std::min(*found, time(stream)) : time(stream);
    }
  }
  return found;
}

Result<std::optional<base::TimeRange>> time_of(spool::Reader& reader, std::vector<BlockInfo> blocks, const WantedTenant& tenant) {
  if (blocks.empty()) return std::optional<base::TimeRange>();
  if (!tenant) {
    return std::optional<base::TimeRange>(
        {std::ranges::min_element(blocks, {}, &BlockInfo::min_timestamp)->min_timestamp,
         end_behind(std::ranges::max_element(blocks, {}, &BlockInfo::max_timestamp)->max_timestamp)});
  }
  auto from = earliest(
      reader, blocks, *tenant, [](const BlockInfo& block) { return block.min_timestamp; },
      [](const StreamInfo& stream) { return stream.min_timestamp; });
  if (!from) return std::move(from).error();
  if (!*from) return std::optional<base::TimeRange>();
  // The complement of a number turns the order round, and exists for every number.
  auto last = earliest(
      reader, blocks, *tenant, [](const BlockInfo& block) { return ~block.max_timestamp; },
      [](const StreamInfo& stream) { return ~stream.max_timestamp; });
  if (!last) return std::move(last).error();
  // What was there may be evicted since.
  return std::optional<base::TimeRange>({**from, end_behind(std::max(**from, ~last->value_or(~**from)))});
}

}  // namespace

Result<std::optional<base::TimeRange>> stored_time(std::span<const std::string> paths, const WantedTenant& tenant) {
  std::optional<base::TimeRange> range;
  for (const std::string& path : paths) {
    auto reader = spool::Reader::open(path);
    if (!reader) return std::move(reader).error();
    auto blocks = (*reader)->list({});
    if (!blocks) return std::move(blocks).error();
    auto one = time_of(**reader, std::move(*blocks), tenant);
    if (!one) return std::move(one).error();
    if (!*one) continue;
    range = range ? base::TimeRange{std::min(range->from, (*one)->from), std::max(range->to, (*one)->to)} : **one;
  }
  return range;
}

Result<logql::MetricAnswer> evaluate(std::span<const std::string> paths, logql::MetricQuery& query, const MetricScan& how,
                                     Damage damage, std::uint64_t& unreadable) {
  const base::TimeRange reads = query.reads();
  unreadable = damage.unreadable();
  if (reads.from >= reads.to) return query.finish();
  auto spools = SpoolSet::open(paths, reads, std::move(damage));
  if (!spools) return std::move(spools).error();
  const MakeMatcher matcher = [&query]() -> Result<std::unique_ptr<Matcher>> {
    auto another = query.again();
    if (!another) return std::move(another).error();
    return std::unique_ptr<Matcher>(std::make_unique<SampleMatcher>(std::move(*another)));
  };
  const WantedState wanted = [](spool::State state) { return state != spool::State::rejected; };
  auto scan = OrderedScan::make(
      *spools, {.matcher = matcher, .wanted = wanted, .tenant = how.tenant, .limits = how.limits, .watch = how.watch});
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
