#include "scan/record_counts.h"

#include "logql/log_query.h"
#include "scan/matcher.h"
#include "scan/spool_set.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <utility>

namespace weir::scan {
namespace {

using base::Result;
using base::Timestamp;
using record::Batch;
using record::LabelSetRef;
using record::Record;

// A sum travels as a record: its time is that of the cell, its labels are the key, and its line has these bytes.
struct Sum {
  std::uint64_t records = 0, bytes = 0;
};

class CountMatcher : public Matcher {
 public:
  CountMatcher(logql::LogQuery query, RecordKey key, const RecordCounts& counts)
      : query_(std::move(query)), key_(std::move(key)), range_(counts.range), length_(counts.cell) {}

  [[nodiscard]] bool selects(const record::LabelSet& labels) const override { return query_.selects(labels); }
  [[nodiscard]] std::span<const std::vector<std::string>> needles() const override { return query_.needles(); }
  [[nodiscard]] bool reads_line() const override { return true; }

  void begin() override {
    open_.clear();
    cell_ = {0, 0};
  }

  Result<void> take(Batch& block, std::uint32_t index, Matches& out) override {
    Record& record = block.records[index];
    if (!query_.rewrites()) {
      if (query_.matches(record, block)) add(record, block, out);
      return {};
    }
    logql::LogQuery::Entry entry;
    if (!query_.run(record, block, entry)) return {};
    labels_.assign(entry.labels.begin(), entry.labels.end());
    const LabelSetRef labels = record::LabelSet::intern(labels_);
    Record shown;
    shown.timestamp = record.timestamp;
    shown.labels = labels.get();
    shown.line = record::Text::bytes(entry.line);
    shown.metadata = entry.metadata;
    add(shown, block, out);
    return {};
  }

  // A cell is not cut.
  [[nodiscard]] Timestamp cut(Timestamp time) const override {
    if (time >= range_.to) return time;
    const base::TimeRange cell = cell_of(time);
    return cell.from == time ? time : cell.to;
  }

 private:
  // Of a time in the range.
  [[nodiscard]] base::TimeRange cell_of(Timestamp time) const {
    const base::TimeRange cell = cell_around(time, length_);
    return {std::max(cell.from, range_.from), std::min(cell.to, range_.to)};
  }

  void add(Record& record, Batch& block, Matches& out) {
    if (!cell_.contains(record.timestamp)) cell_ = cell_of(record.timestamp);
    const std::size_t size = block.line(record).size();
    const LabelSetRef key = key_(record, block);
    Open& open = open_[key.get()];
    if (open.bytes != nullptr && open.cell == cell_.from) {
      Sum sum;
      std::memcpy(&sum, open.bytes, sizeof sum);
      ++sum.records;
      sum.bytes += size;
      std::memcpy(open.bytes, &sum, sizeof sum);
      return;
    }
    const Sum sum = {1, size};
    open = {cell_.from, out.made.allocate(sizeof sum)};
    std::memcpy(open.bytes, &sum, sizeof sum);
    Record made;
    made.timestamp = cell_.from;
    made.labels = out.made.hold(key);
    made.line = record::Text::bytes({open.bytes, sizeof sum});
    out.add_made(made);
  }

  struct Open {
    Timestamp cell = 0;     // where it begins
    char* bytes = nullptr;  // of its Sum, in the batch of what came of the block
  };

  logql::LogQuery query_;
  RecordKey key_;
  base::TimeRange range_;
  base::Duration length_;
  base::TimeRange cell_ = {0, 0};                           // of the latest record
  std::unordered_map<const record::LabelSet*, Open> open_;  // the latest of each key in this block; the batch holds the key
  std::vector<record::Label> labels_;
};

}  // namespace

base::TimeRange cell_around(Timestamp time, base::Duration length) {
  base::TimeRange cell;
  if (length <= 0) return cell;
  const base::Duration rest = time % length, before = rest < 0 ? rest + length : rest;
  Timestamp from = 0, to = 0;
  if (!__builtin_sub_overflow(time, before, &from)) cell.from = from;
  if (!__builtin_add_overflow(time, length - before, &to)) cell.to = to;
  return cell;
}

Result<void> count_records(std::span<const std::string> paths, const logql::LogExpr& query, const RecordCounts& counts,
                           const std::function<RecordKey()>& make_key, Damage damage,
                           const std::function<void(const RecordCount&)>& each) {
  if (counts.range.from >= counts.range.to) return {};
  auto spools = SpoolSet::open(paths, counts.range, std::move(damage));
  if (!spools) return std::move(spools).error();
  if (counts.blocks) spools->keep([&](const Block& block) { return counts.blocks(block.info); });
  const MakeMatcher matcher = [&]() -> Result<std::unique_ptr<Matcher>> {
    auto compiled = logql::LogQuery::compile(query, {});
    if (!compiled) return std::move(compiled).error();
    return std::unique_ptr<Matcher>(std::make_unique<CountMatcher>(std::move(*compiled), make_key(), counts));
  };
  const WantedState wanted = [](spool::State state) { return state != spool::State::rejected; };
  auto scan = OrderedScan::make(
      *spools, {.matcher = matcher, .wanted = wanted, .tenant = counts.tenant, .limits = counts.limits, .watch = counts.watch});
  if (!scan) return std::move(scan).error();
  auto read = (*scan)->run(counts.range, 0, {}, [&](Batch& batch) -> Result<bool> {
    for (Record& record : batch.records) {
      Sum sum;
      std::memcpy(&sum, batch.line(record).data(), sizeof sum);
      each({record.labels, record.timestamp, sum.records, sum.bytes});
    }
    return true;
  });
  spools->say_evicted();
  return read;
}

}  // namespace weir::scan
