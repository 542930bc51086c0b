#include "scan/spool_scan.h"

#include "base/count.h"
#include "record/json.h"

#include <algorithm>
#include <cstring>
#include <queue>
#include <tuple>
#include <utility>

namespace weir::scan {

using base::Code;
using base::Result;
using base::Timestamp;
using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;
using spool::BlockInfo;
using spool::StreamInfo;
using spool::TimeRange;

namespace {

constexpr std::size_t kGive = 256 << 10;   // bytes in use above which records that are due are emitted
constexpr std::size_t kGiveAtOnce = 1024;  // records of a batch
constexpr std::size_t kShare = 16;         // of the memory, for kept records

bool same_labels(const LabelSet& set, std::span<const Label> labels) {
  return set.size() == labels.size() &&
         std::all_of(labels.begin(), labels.end(), [&](const Label& label) { return set.get(label.name) == label.value; });
}

}  // namespace

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(const std::string& path, const std::string& query, const TimeRange& range,
                                                   base::Diagnostics& diagnostics) {
  auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  if (!compiled) return std::move(compiled).error();
  return open({&path, 1}, std::move(*compiled), range, diagnostics);
}

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(std::span<const std::string> paths, const std::string& query,
                                                   const TimeRange& range, base::Diagnostics& diagnostics) {
  auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  if (!compiled) return std::move(compiled).error();
  return open(paths, std::move(*compiled), range, diagnostics);
}

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(std::span<const std::string> paths, logql::LogExpr query, const TimeRange& range,
                                                   base::Diagnostics& diagnostics) {
  auto compiled = logql::LogQuery::compile(std::move(query), {});
  if (!compiled) return std::move(compiled).error();
  return open(paths, std::move(*compiled), range, diagnostics);
}

Result<std::unique_ptr<SpoolScan>> SpoolScan::open(std::span<const std::string> paths, logql::LogQuery query,
                                                   const TimeRange& range, base::Diagnostics& diagnostics) {
  auto scan = std::unique_ptr<SpoolScan>(new SpoolScan(std::move(query), range, diagnostics));
  for (const std::string& path : paths) {
    if (auto added = scan->add(path); !added) return std::move(added).error();
  }
  std::sort(scan->blocks_.begin(), scan->blocks_.end(), earlier);
  return scan;
}

SpoolScan::SpoolScan(logql::LogQuery query, const TimeRange& range, base::Diagnostics& diagnostics)
    : query_(std::move(query)), range_(range), diagnostics_(diagnostics) {}

Result<void> SpoolScan::add(const std::string& path) {
  auto reader = spool::Reader::open(path);
  if (!reader) return std::move(reader).error();
  auto blocks = (*reader)->list({.time = range_});
  if (!blocks) return std::move(blocks).error();
  for (const BlockInfo& block : *blocks) blocks_.push_back({readers_.size(), block});
  if (const auto missing = (*reader)->missing()) {
    ++unreadable_;
    diagnostics_.say(*missing);
  }
  readers_.push_back(std::move(*reader));
  return {};
}

bool SpoolScan::earlier(const Block& a, const Block& b) {
  return std::tie(a.info.min_timestamp, a.spool, a.info.id) < std::tie(b.info.min_timestamp, b.spool, b.info.id);
}

// Leaves the block's records that may match in loaded_.
Result<void> SpoolScan::load(const Block& block, const TimeRange& range) {
  spool::LoadOptions options;
  options.range = range;
  options.stream = [&](const StreamInfo& stream) {
    return range.touches(stream.min_timestamp, stream.max_timestamp) && query_.selects(*stream.labels) &&
           (!wanted_streams_ || wanted_streams_(*stream.labels));
  };
  // A gap record need not have the words of the lines that are searched for.
  if (!query_.needles().empty() && !gaps_) {
    options.lines = [&](std::string_view lines) {
      return std::all_of(query_.needles().begin(), query_.needles().end(), [&](const std::string& needle) {
        return ::memmem(lines.data(), lines.size(), needle.data(), needle.size()) != nullptr;
      });
    };
  }
  loaded_.clear();
  states_.clear();
  auto loaded = readers_[block.spool]->load(block.info.id, options, loaded_, &states_);
  if (loaded) {
    if (!*loaded && removed_.emplace(block.spool, block.info.id).second) removed_records_ += block.info.records;
    return {};
  }
  if (loaded.error().code != Code::corrupt) return std::move(loaded).error();
  ++unreadable_;
  diagnostics_.say(loaded.error().message);
  loaded_.clear();
  states_.clear();
  return {};
}

void SpoolScan::keep_changed(const Record& record, const logql::LogQuery::Entry& entry) {
  Record changed;
  changed.timestamp = record.timestamp;
  changed.held = record.held;
  changed.tenant = kept_.copy(record.tenant);
  changed.line = record::Text::bytes(kept_.copy(entry.line));
  changed.labels =
      kept_.hold(same_labels(*record.labels, entry.labels) ? LabelSetRef::share(record.labels) : LabelSet::intern(entry.labels));
  const auto metadata = kept_.allocate_labels(entry.metadata.size());
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    metadata[i] = {kept_.copy(entry.metadata[i].name), kept_.copy(entry.metadata[i].value)};
  }
  changed.metadata = metadata;
  if (!entry.parsed.empty()) {
    std::vector<Label> parsed(entry.parsed.begin(), entry.parsed.end());
    std::sort(parsed.begin(), parsed.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
    text_ = "{";
    for (const Label& label : parsed) {
      if (text_.size() > 1) text_ += ',';
      record::append_json_string(text_, label.name);
      text_ += ':';
      record::append_json_string(text_, label.value);
    }
    text_ += '}';
    auto* extra = kept_.make<record::Extra>();
    extra->parsed = kept_.copy(text_);
    changed.extra = extra;
  }
  kept_.records.push_back(changed);
}

void SpoolScan::keep(Record& record, std::size_t spool, std::uint64_t order) {
  // In small steps: doubling would take more memory than all kept records.
  if (kept_.records.size() == kept_.records.capacity())
    kept_.records.reserve(kept_.records.size() + kept_.records.size() / 4 + kGiveAtOnce);
  // A query whose stages rewrite records is evaluated once: run() gives the verdict and the result. Any other query has no parser,
  // and its records are mostly kept as they are: the cheap verdict comes first, and only a record with an error is evaluated again.
  bool changed = !as_stored_ && query_.rewrites();
  if (!changed) {
    if (!query_.matches(record, loaded_) && !(gaps_ && record::is_gap(record))) return;
    changed = !as_stored_ && (query_.errored() || !query_.shows_unchanged(record));
  }
  if (changed) {
    logql::LogQuery::Entry entry;
    if (!query_.run(record, loaded_, entry)) return;
    keep_changed(record, entry);
  } else {
    Record& copy = kept_.add_copy(record);
    copy.source = {};
    copy.touch();
  }
  entries_.push_back({record.timestamp, spool, order, kept_.records.size() - 1});
}

// Keeps the earlier half of the gathered records, and ends the window after it.
void SpoolScan::put_off(TimeRange& window) {
  const auto by_time = [](const Kept& a, const Kept& b) { return a.time < b.time; };
  const auto middle = entries_.begin() + static_cast<std::ptrdiff_t>(entries_.size() / 2);
  std::nth_element(entries_.begin(), middle, entries_.end(), by_time);
  Timestamp end = middle->time;
  if (end <= std::min_element(entries_.begin(), entries_.end(), by_time)->time) ++end;  // one timestamp cannot be divided
  window.to = std::min(window.to, end);
  std::erase_if(entries_, [&](const Kept& kept) { return kept.time >= window.to; });
  retain();
  allowed_ = std::max(limits_.memory / kShare, memory_in_use() * 2);
}

// Removes the records from kept_ that entries_ does not name.
void SpoolScan::retain() {
  spare_.records.reserve(entries_.size());
  for (Kept& kept : entries_) {
    spare_.add_copy(kept_.records[kept.index]);
    kept.index = spare_.records.size() - 1;
  }
  std::swap(spare_, kept_);
  spare_.clear();
}

std::size_t SpoolScan::memory_in_use() const { return kept_.bytes() + entries_.size() * (sizeof(Record) + sizeof(Kept)); }

// Emits the records before a time; the rest stays.
Result<bool> SpoolScan::give(Timestamp before, const Each& each) {
  std::sort(entries_.begin(), entries_.end(),
            [](const Kept& a, const Kept& b) { return std::tie(a.time, a.spool, a.order) < std::tie(b.time, b.spool, b.order); });
  const auto due = std::find_if(entries_.begin(), entries_.end(), [&](const Kept& kept) { return kept.time >= before; });
  if (due == entries_.begin()) return true;
  std::vector<Record> all;
  all.swap(kept_.records);
  for (auto next = entries_.begin(); next != due;) {
    kept_.records.clear();
    for (; next != due && kept_.records.size() < kGiveAtOnce; ++next) {
      if (skip_ > 0 && next->time == range_.from) {
        --skip_;
      } else {
        kept_.records.push_back(all[next->index]);
      }
    }
    if (kept_.records.empty()) continue;
    const auto more = each(kept_);
    if (!more || !*more) return more;
  }
  all.swap(kept_.records);
  entries_.erase(entries_.begin(), due);
  retain();
  return true;
}

Result<void> SpoolScan::run(const Each& each) {
  auto done = read(each);
  if (const std::uint64_t missing = std::exchange(removed_records_, 0); missing > 0) {
    diagnostics_.say(fmt::format("up to {} missing: the process that writes the spool removed {} meanwhile",
                                 base::count_of(missing, "record is", "records are"), missing == 1 ? "it" : "them"));
  }
  return done;
}

Result<void> SpoolScan::read(const Each& each) {
  TimeRange window = range_;
  Work work{.done = searched_, .all = searched_};
  std::vector<std::pair<Timestamp, std::uint64_t>> ends;  // of blocks, with their sizes, in the order of their last times
  if (watch_) {
    for (const auto& [spool, block] : blocks_) {
      if (block.max_timestamp < range_.from) continue;
      ends.emplace_back(block.max_timestamp, block.body_bytes);
      work.all += block.body_bytes;
    }
    std::sort(ends.begin(), ends.end());
  }
  // A block is done when reading has come to a later time, however often it is opened until then.
  auto go_on = [&, next = ends.begin()](Timestamp now) mutable {
    if (!watch_) return true;
    for (; next != ends.end() && next->first < now; ++next) work.done += next->second;
    return watch_(work);
  };
  while (window.from < range_.to) {
    entries_.clear();
    kept_.clear();
    window.to = range_.to;
    allowed_ = limits_.memory / kShare;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const BlockInfo& block = blocks_[i].info;
      if (block.min_timestamp >= window.to) break;
      if (!window.touches(block.min_timestamp, block.max_timestamp)) continue;
      if (!go_on(std::max(block.min_timestamp, window.from))) return {};
      if (auto ok = load(blocks_[i], window); !ok) return ok;
      for (std::size_t n = 0; n < loaded_.records.size(); ++n) {
        if (!wanted_(states_[n])) continue;
        const std::uint64_t order = (block.id << 24) | std::min<std::uint64_t>(n, 0xffffff);
        if (loaded_.records[n].timestamp < window.to) keep(loaded_.records[n], blocks_[i].spool, order);
        if (memory_in_use() > allowed_ && entries_.size() > 1 && n + 1 < loaded_.records.size()) put_off(window);
      }
      // Nothing still to come is older than the first record of the next block.
      const Timestamp before = i + 1 < blocks_.size() ? std::min(blocks_[i + 1].info.min_timestamp, window.to) : window.to;
      if (memory_in_use() >= kGive) {
        const auto more = give(before, each);
        if (!more) return more.error();
        if (!*more) return {};
      }
      if (memory_in_use() > allowed_ && entries_.size() > 1) put_off(window);
    }
    const auto more = give(window.to, each);
    if (!more) return more.error();
    if (!*more) return {};
    window.from = window.to;
  }
  return {};
}

Result<bool> SpoolScan::keep_newest(std::uint64_t count) {
  // The newest times, the oldest of them on top; one more than wanted shows that there is more.
  std::priority_queue<Timestamp, std::vector<Timestamp>, std::greater<>> newest;
  std::vector<Block> blocks = blocks_;
  std::sort(blocks.begin(), blocks.end(),
            [](const Block& a, const Block& b) { return a.info.max_timestamp > b.info.max_timestamp; });
  const auto count_block = [&](const Block& block, const TimeRange& range, const auto& found) -> Result<void> {
    if (auto ok = load(block, range); !ok) return ok;
    for (std::size_t n = 0; n < loaded_.records.size(); ++n) {
      if (wanted_(states_[n]) && query_.matches(loaded_.records[n], loaded_)) found(loaded_.records[n].timestamp);
    }
    return {};
  };
  // What is found here is read once more by run().
  Work work;
  for (const Block& block : blocks) work.all += 2 * block.info.body_bytes;
  for (const Block& block : blocks) {
    const bool full = newest.size() > count;
    if (full && block.info.max_timestamp < newest.top()) break;
    if (watch_ && !watch_(work)) return false;
    work.done = searched_ += block.info.body_bytes;
    TimeRange range = range_;
    if (full) range.from = std::max(range.from, newest.top());
    auto ok = count_block(block, range, [&](Timestamp time) {
      if (newest.size() > count && time <= newest.top()) return;
      newest.push(time);
      if (newest.size() > count + 1) newest.pop();
    });
    if (!ok) return std::move(ok).error();
  }
  if (newest.size() <= count) return false;
  newest.pop();
  if (newest.empty()) {
    range_.to = range_.from;
    return true;
  }
  range_.from = newest.top();
  std::uint64_t wanted = 0, there = 0;
  for (; !newest.empty() && newest.top() == range_.from; newest.pop()) ++wanted;
  for (const Block& block : blocks_) {
    if (block.info.min_timestamp > range_.from || block.info.max_timestamp < range_.from) continue;
    auto ok = count_block(block, {range_.from, range_.from + 1}, [&](Timestamp) { ++there; });
    if (!ok) return std::move(ok).error();
  }
  skip_ = there - std::min(there, wanted);
  return true;
}

Result<std::vector<LabelSetRef>> SpoolScan::series() {
  std::vector<LabelSetRef> series;
  for (const Block& block : blocks_) {
    auto streams = readers_[block.spool]->streams(block.info.id);
    if (!streams) {
      if (streams.error().code != Code::corrupt) return std::move(streams).error();
      ++unreadable_;
      diagnostics_.say(streams.error().message);
      continue;
    }
    for (const StreamInfo& stream : *streams) {
      if (range_.touches(stream.min_timestamp, stream.max_timestamp) && query_.selects(*stream.labels))
        series.push_back(stream.labels);
    }
    std::sort(series.begin(), series.end(), [](const LabelSetRef& a, const LabelSetRef& b) { return a.get() < b.get(); });
    series.erase(std::unique(series.begin(), series.end()), series.end());
  }
  std::sort(series.begin(), series.end(), [](const LabelSetRef& a, const LabelSetRef& b) { return a->json() < b->json(); });
  return series;
}

}  // namespace weir::scan
