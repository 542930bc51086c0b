#include "scan/stream_sums.h"

#include "logql/log_query.h"
#include "scan/record_counts.h"
#include "spool/reader.h"

#include <set>
#include <utility>

namespace weir::scan {
namespace {

using base::Result;

class OneSpool {
 public:
  OneSpool(const std::string& path, const StreamSums& sums, Damage damage, const std::function<void(const StreamSum&)>& each)
      : path_(path), sums_(sums), damage_(std::move(damage)), each_(each) {}

  Result<std::uint64_t> read(const logql::LogExpr& selector) {
    auto query = logql::LogQuery::compile(selector, {});
    if (!query) return std::move(query).error();
    auto reader = spool::Reader::open(path_);
    if (!reader) return std::move(reader).error();
    auto blocks = (*reader)->list({.time = sums_.range});
    if (!blocks) return std::move(blocks).error();
    if (const auto missing = (*reader)->missing()) damage_.log((*reader)->path(), *missing);
    for (const spool::BlockInfo& block : *blocks) {
      if (sums_.watch && !sums_.watch({})) return blocks_;
      if (auto ok = count(**reader, block, *query); !ok) return std::move(ok).error();
    }
    if (partial_.empty()) return blocks_;
    return read_partial(selector);
  }

 private:
  [[nodiscard]] bool lies_whole(const spool::BlockInfo& block) const {
    return block.min_timestamp >= sums_.range.from && block.max_timestamp < sums_.range.to &&
           cell_around(block.min_timestamp, sums_.cell).from == cell_around(block.max_timestamp, sums_.cell).from;
  }

  Result<void> count(spool::Reader& reader, const spool::BlockInfo& block, const logql::LogQuery& query) {
    auto streams = reader.streams(block.id);
    if (!streams) {
      if (streams.error().code != base::Code::corrupt) return std::move(streams).error();
      damage_.block(reader.path(), block.id, streams.error().message);
      return {};
    }
    bool any = false;
    for (const spool::StreamInfo& stream : *streams) {
      if (!sums_.range.touches(stream.min_timestamp, stream.max_timestamp) || !takes(sums_.tenant, stream.tenant) ||
          !query.selects(*stream.labels)) {
        continue;
      }
      any = true;
      if (lies_whole(block)) each_({stream.labels.get(), stream.min_timestamp, stream.records, stream.line_bytes});
    }
    if (!any) return {};
    ++blocks_;
    if (!lies_whole(block)) partial_.insert(block.id);
    return {};
  }

  Result<std::uint64_t> read_partial(const logql::LogExpr& selector) {
    const auto watch = [this](const Work& work) { return !sums_.watch || sums_.watch(work); };
    const auto wanted = [this](const spool::BlockInfo& block) { return partial_.contains(block.id); };
    auto done = count_records(
        {&path_, 1}, selector,
        {.range = sums_.range,
         .cell = sums_.cell,
         .tenant = sums_.tenant,
         .limits = sums_.limits,
         .watch = watch,
         .blocks = wanted},
        [] { return [](record::Record& record, record::Batch&) { return record::LabelSetRef::share(record.labels); }; }, damage_,
        [this](const RecordCount& part) {
          each_({part.key, part.time, part.records, part.bytes});
        });
    if (!done) return std::move(done).error();
    return blocks_;
  }

  const std::string& path_;
  const StreamSums& sums_;
  Damage damage_;
  const std::function<void(const StreamSum&)>& each_;
  std::set<std::uint64_t> partial_;  // blocks of which records have to be read
  std::uint64_t blocks_ = 0;
};

}  // namespace

Result<std::uint64_t> sum_streams(std::span<const std::string> paths, const logql::LogExpr& selector, const StreamSums& sums,
                                  Damage damage, const std::function<void(const StreamSum&)>& each) {
  std::uint64_t blocks = 0;
  if (sums.range.from >= sums.range.to) return blocks;
  for (const std::string& path : paths) {
    auto read = OneSpool(path, sums, damage, each).read(selector);
    if (!read) return read;
    blocks += *read;
  }
  return blocks;
}

}  // namespace weir::scan
