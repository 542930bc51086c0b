#include "stages/context_lines.h"

#include "record/context_mark.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace weir::stages {

using base::Result;
using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

namespace {

constexpr std::string_view kBefore = "before", kAfter = "after";
constexpr std::string_view kStream = "stream";
constexpr std::size_t kSmallestRing = 16;  // records that are dropped at once

LabelSetRef without_stream(const LabelSet& labels) {
  if (labels.get(kStream).empty()) return LabelSetRef::share(&labels);
  std::vector<Label> rest;
  for (const Label& label : labels.labels()) {
    if (label.name != kStream) rest.push_back(label);
  }
  return LabelSet::intern(rest);
}

}  // namespace

struct ContextLines::Group {
  Batch batch;
  std::uint64_t number = 0;  // 0: the next one
  Log* log = nullptr;        // null: it is complete
  std::size_t bytes = 0;
};

// The latest records, in two batches that take turns.
struct ContextLines::Ring {
  Batch older, newer;

  void add(const Record& record, std::size_t most) {
    if (newer.records.size() >= std::max(most, kSmallestRing)) {
      std::swap(older, newer);
      newer.records.clear();
      newer.clear();
    }
    newer.add_copy(record);
  }
  template <typename Each>
  void take_last(std::size_t count, const Each& each) {
    const std::size_t all = older.records.size() + newer.records.size();
    for (std::size_t i = all - std::min(all, count); i < all; ++i)
      each(i < older.records.size() ? older.records[i] : newer.records[i - older.records.size()]);
    clear();
  }
  void clear() {
    for (Batch* batch : {&older, &newer}) batch->records.clear(), batch->clear();
  }
};

struct ContextLines::Log {
  LabelSetRef labels;
  Ring ring;
  Group* open = nullptr;
  bool continues = false;    // the group `number` was passed on before it was complete
  std::uint64_t number = 0;  // of that group
  std::size_t left = 0;      // records that still belong behind the latest match
  std::size_t behind = 0;    // records since the group's last one
};

ContextLines::ContextLines(std::size_t before, std::size_t after, Each each, std::size_t most)
    : before_(before), after_(after), most_(most), each_(std::move(each)) {}

ContextLines::~ContextLines() = default;

ContextLines::Log& ContextLines::log_of(const LabelSet& labels) {
  if (const auto found = known_.find(&labels); found != known_.end()) return *found->second.log;
  LabelSetRef rest = without_stream(labels);
  auto& log = logs_[rest.get()];
  if (!log) {
    log = std::make_unique<Log>();
    log->labels = rest;
  }
  known_[&labels] = {LabelSetRef::share(&labels), log.get()};
  return *log;
}

void ContextLines::append(Log& log, const Record& record, std::string_view place) {
  if (log.open == nullptr) {
    auto& group = groups_[{record.timestamp, ++begun_}];
    group = std::make_unique<Group>();
    log.open = group.get();
    log.open->log = &log;
    if (std::exchange(log.continues, false)) {
      log.open->number = log.number;
    } else {
      ++open_;
    }
  }
  Batch& batch = log.open->batch;
  const std::size_t before = batch.bytes();
  Record& copy = batch.add_copy(record);
  record::set_metadata(batch, copy, record::kContextGroup, "0");  // its number is known when it is passed on
  if (!place.empty()) record::set_metadata(batch, copy, record::kContextPlace, place);
  const std::size_t more = batch.bytes() - before + sizeof(Record);
  log.open->bytes += more;
  held_ += more;
}

void ContextLines::close(Log& log) {
  if (log.open != nullptr || log.continues) --open_;
  if (log.open != nullptr) log.open->log = nullptr;
  log.open = nullptr;
  log.continues = false;
  log.left = log.behind = 0;
}

Result<bool> ContextLines::add(Batch& batch, Record& record, bool matches) {
  static_cast<void>(batch.line(record));  // decoded once, not in each copy
  Log& log = log_of(*record.labels);
  if (matches) {
    ++matches_;
    log.ring.take_last(before_, [&](const Record& earlier) { append(log, earlier, kBefore); });
    append(log, record, {});
    log.left = after_;
    log.behind = 0;
  } else if (log.left > 0) {
    append(log, record, kAfter);
    --log.left;
  } else {
    if ((log.open != nullptr || log.continues) && ++log.behind > before_) close(log);
    if (before_ > 0) log.ring.add(record, before_);
  }
  return pass_on(most_);
}

void ContextLines::skip(const LabelSet& labels) {
  Log& log = log_of(labels);
  close(log);
  log.ring.clear();
}

bool ContextLines::is_open(const LabelSet& labels) {
  const Log& log = log_of(labels);
  return log.open != nullptr || log.continues;
}

Result<bool> ContextLines::pass_on(std::size_t most) {
  while (!groups_.empty() && (held_ > most || most == 0)) {
    const auto group = std::move(groups_.begin()->second);
    groups_.erase(groups_.begin());
    held_ -= group->bytes;
    if (group->number == 0) group->number = ++numbers_;
    if (group->log != nullptr) {
      group->log->open = nullptr;
      group->log->continues = true;
      group->log->number = group->number;
    }
    const std::string number = fmt::to_string(group->number);
    for (Record& record : group->batch.records) record::set_metadata(group->batch, record, record::kContextGroup, number);
    auto more = each_(group->batch);
    if (!more || !*more) return more;
  }
  return true;
}

Result<bool> ContextLines::finish() {
  for (auto& [labels, log] : logs_) close(*log);
  return pass_on(0);
}

}  // namespace weir::stages
