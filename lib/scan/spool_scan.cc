#include "scan/spool_scan.h"

#include <algorithm>
#include <map>
#include <queue>
#include <unordered_set>
#include <utility>

namespace weir::scan {

using base::Result;
using base::Timestamp;
using record::LabelSetRef;
using spool::TimeRange;

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(const std::string& path, const std::string& query, const TimeRange& range,
                                                   Damage damage) {
  return open({&path, 1}, query, range, std::move(damage));
}

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(std::shared_ptr<spool::Reader> reader, const std::string& query,
                                                   const TimeRange& range, Damage damage) {
  auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  if (!compiled) return std::move(compiled).error();
  auto spools = SpoolSet::of({std::move(reader)}, range, std::move(damage));
  if (!spools) return std::move(spools).error();
  return std::unique_ptr<SpoolScan>(new SpoolScan(std::move(*spools), std::move(*compiled), range));
}

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(std::span<const std::string> paths, const std::string& query,
                                                   const TimeRange& range, Damage damage) {
  auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  if (!compiled) return std::move(compiled).error();
  return open(paths, std::move(*compiled), range, std::move(damage));
}

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(std::span<const std::string> paths, logql::LogExpr query, const TimeRange& range,
                                                   Damage damage) {
  auto compiled = logql::LogQuery::compile(std::move(query), {});
  if (!compiled) return std::move(compiled).error();
  return open(paths, std::move(*compiled), range, std::move(damage));
}

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(std::span<const std::string> paths, logql::LogQuery query,
                                                   const TimeRange& range, Damage damage) {
  auto spools = SpoolSet::open(paths, range, std::move(damage));
  if (!spools) return std::move(spools).error();
  return std::unique_ptr<SpoolScan>(new SpoolScan(std::move(*spools), std::move(query), range));
}

Result<std::unique_ptr<OrderedScan>> SpoolScan::plan(bool times) {
  LogMatcher::Options options = options_;
  options.times = times;
  const MakeMatcher matcher = [this, options]() -> Result<std::unique_ptr<Matcher>> {
    auto query = logql::LogQuery::compile(query_.expr(), {});
    if (!query) return std::move(query).error();
    return std::unique_ptr<Matcher>(std::make_unique<LogMatcher>(std::move(*query), options));
  };
  Limits limits = limits_;
  // Where nothing is looked for, handing the records on is most of the work.
  if (options_.streams || (limits.threads == 0 && query_.expr().stages.empty())) limits.threads = 1;
  // What run() skips has to be found before.
  const std::uint64_t first = first_ > 0 ? first_ + skip_ : 0;
  return OrderedScan::make(spools_, {.matcher = matcher,
                                     .wanted = wanted_,
                                     .tenant = tenant_,
                                     .times = times,
                                     .first = first,
                                     .limits = limits,
                                     .watch = watch_});
}

Result<void> SpoolScan::run(const Each& each) {
  auto scan = plan(false);
  if (!scan) return std::move(scan).error();
  auto done = (*scan)->run(range_, skip_, {.done = searched_, .all = searched_}, each);
  spools_.say_evicted();
  return done;
}

Result<bool> SpoolScan::keep_newest(std::uint64_t count) {
  auto scan = plan(true);
  if (!scan) return std::move(scan).error();
  // The newest times, the oldest of them on top; one more than wanted shows that there is more.
  std::priority_queue<Timestamp, std::vector<Timestamp>, std::greater<>> newest;
  std::map<std::pair<std::size_t, std::uint64_t>, Timestamp> matched;  // blocks, with the newest time that matches
  std::vector<Block> blocks = spools_.blocks();
  std::sort(blocks.begin(), blocks.end(),
            [](const Block& a, const Block& b) { return a.info.max_timestamp > b.info.max_timestamp; });
  // What is found here is read once more by run().
  Work work;
  for (const Block& block : blocks) work.all += 2 * block.info.body_bytes;
  auto queue = (*scan)->queue(blocks, range_);
  while (const Block* block = queue->front()) {
    const bool full = newest.size() > count;
    if (full && block->info.max_timestamp < newest.top()) break;
    if (watch_ && !watch_(work)) return false;
    work.done = searched_ += block->info.body_bytes;
    if (full) queue->narrow({std::max(range_.from, newest.top()), range_.to});
    auto found = queue->next();
    if (!found) return std::move(found).error();
    if (found->kind == Found::Kind::cut_short) {
      if (watch_) static_cast<void>(watch_(work));  // who watches learns that something is missing
      return false;
    }
    spools_.note(*block, *found);
    if (found->times.empty()) continue;
    matched[{block->spool, block->info.id}] = *std::ranges::max_element(found->times);
    for (const Timestamp time : found->times) {
      if (newest.size() > count && time <= newest.top()) continue;
      newest.push(time);
      if (newest.size() > count + 1) newest.pop();
    }
  }
  queue.reset();
  const bool older = newest.size() > count;
  if (older) newest.pop();
  if (older && newest.empty()) {
    range_.to = range_.from;
    return true;
  }
  if (older) range_.from = newest.top();
  // The others are not read again.
  spools_.keep([&](const Block& block) {
    const auto found = matched.find({block.spool, block.info.id});
    return found != matched.end() && found->second >= range_.from;
  });
  if (!older) return false;
  std::uint64_t wanted = 0, there = 0;
  for (; !newest.empty() && newest.top() == range_.from; newest.pop()) ++wanted;
  for (const Block& block : spools_.blocks()) {
    if (block.info.min_timestamp > range_.from || block.info.max_timestamp < range_.from) continue;
    auto found = (*scan)->here().search(block, {range_.from, range_.from + 1});
    if (!found) return std::move(found).error();
    there += found->times.size();
  }
  skip_ = there - std::min(there, wanted);
  return true;
}

Result<void> SpoolScan::each_stream(const std::function<void(const Block&, const spool::StreamInfo&)>& each) {
  for (const Block& block : spools_.blocks()) {
    if (limits_.over && limits_.over()) break;
    auto streams = spools_.readers()[block.spool]->streams(block.info.id);
    if (!streams) {
      if (streams.error().code != base::Code::corrupt) return std::move(streams).error();
      spools_.note_unreadable(block, streams.error().message);
      continue;
    }
    for (const spool::StreamInfo& stream : *streams) {
      if (range_.touches(stream.min_timestamp, stream.max_timestamp) && takes(tenant_, stream.tenant) &&
          query_.selects(*stream.labels)) {
        each(block, stream);
      }
    }
  }
  return {};
}

Result<std::uint64_t> SpoolScan::count_blocks() {
  std::uint64_t blocks = 0;
  const Block* latest = nullptr;
  auto read = each_stream([&](const Block& block, const spool::StreamInfo&) {
    blocks += &block != latest ? 1 : 0;
    latest = &block;
  });
  return read ? Result<std::uint64_t>(blocks) : Result<std::uint64_t>(std::move(read).error());
}

Result<std::vector<LabelSetRef>> SpoolScan::series() {
  std::unordered_set<const record::LabelSet*> known;
  std::vector<LabelSetRef> series;
  auto read = each_stream([&](const Block&, const spool::StreamInfo& stream) {
    if (known.insert(stream.labels.get()).second) series.push_back(stream.labels);
  });
  if (!read) return std::move(read).error();
  std::sort(series.begin(), series.end(), [](const LabelSetRef& a, const LabelSetRef& b) { return a->json() < b->json(); });
  return series;
}

}  // namespace weir::scan
