#include "stages/top.h"

#include "stages/rule_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::stages {
namespace {

using pipeline::Batch;
using pipeline::Flow;
using pipeline::Monotonic;
using pipeline::Outlet;
using pipeline::Record;
using pipeline::Result;
using rules::Verdict;

// Every label but the stream, so that stdout and stderr are one log.
std::string name_of(const record::LabelSet& labels) {
  std::string name = "{";
  for (const record::Label& label : labels.labels()) {
    if (label.name == "stream") continue;
    name += fmt::format("{}{}=\"{}\"", name.size() > 1 ? ", " : "", label.name, label.value);
  }
  return name + "}";
}

show::TopRow row_of(const record::LabelSet& labels) {
  show::TopRow row{.name = {},
                   .namespace_name = std::string(labels.get("namespace")),
                   .pod = std::string(labels.get("pod")),
                   .container = std::string(labels.get("container")),
                   .filename = std::string(labels.get("filename"))};
  if (!row.pod.empty()) {
    row.name = fmt::format("{}/{}/{}", row.namespace_name, row.pod, row.container);
  } else {
    row.name = !row.filename.empty() ? row.filename : name_of(labels);
  }
  return row;
}

class Top : public pipeline::Stage {
 public:
  Top(const TopSpec& spec, std::unique_ptr<RuleBook> rules, TopView& view, const pipeline::Context& context)
      : spec_(spec), rules_(std::move(rules)), view_(view), context_(context) {}

  [[nodiscard]] std::string_view name() const override { return "top"; }

  Result<void> attach(base::Wake& wake) override {
    if (rules_) {
      if (auto attached = rules_->attach(wake); !attached) return attached;
    }
    return view_.attach(wake);
  }

  Result<Flow> consume(Batch& batch, Outlet&) override {
    if (rules_) static_cast<void>(rules_->set().begin(context_.clock->wall()));
    // Most records of a batch have the labels of the one before.
    const record::LabelSet* labels = nullptr;
    show::TopCount counts;
    for (Record& record : batch.records) {
      if (record.is_marker() || record.labels == nullptr) continue;
      if (record.labels != labels) {
        if (labels != nullptr) rates_.add(*labels, std::exchange(counts, {}));
        labels = record.labels;
      }
      const std::uint64_t bytes = record.line.data.size();
      ++counts.records;
      counts.bytes += bytes;
      if (!rules_) continue;
      const Verdict verdict = rules_->set().judge(record, batch).verdict;
      if (verdict == Verdict::hold) {
        ++counts.held_records;
      } else if (verdict != Verdict::pass) {
        ++counts.dropped_records;
        counts.dropped_bytes += bytes;
      }
    }
    if (labels != nullptr) rates_.add(*labels, counts);
    if (auto due = run_due(context_.clock->monotonic()); !due) return std::move(due).error();
    return ended_ ? Flow::done : Flow::more;
  }

  Result<Monotonic> nudge(Monotonic now, Outlet&) override {
    if (!view_.goes_on()) end();
    const Monotonic reload = rules_ ? refresh(now) : base::kNever;
    auto due = run_due(now);
    if (!due) return due;
    return std::min(*due, reload);
  }

 private:
  Monotonic refresh(Monotonic now) {
    static_cast<void>(rules_->refresh(now));
    return rules_->due();
  }

  Result<Monotonic> run_due(Monotonic now) {
    if (ended_) return base::kNever;
    if (since_ == base::kNever) since_ = now;
    if (now < base::after(since_, spec_.interval)) return base::after(since_, spec_.interval);
    const show::TopReport report = rates_.take(context_.clock->wall(), now - since_, spec_.order, rules_ != nullptr);
    since_ = now;
    auto wanted = view_.show(report);
    if (!wanted) return std::move(wanted).error();
    if (!*wanted || ++shown_ == spec_.count) end();
    return ended_ ? base::kNever : base::after(since_, spec_.interval);
  }

  void end() {
    if (!std::exchange(ended_, true)) context_.stop->request();
  }

  const TopSpec spec_;
  const std::unique_ptr<RuleBook> rules_;  // null: none
  TopView& view_;
  const pipeline::Context context_;
  LogRates rates_;
  Monotonic since_ = base::kNever;  // when the present interval began
  std::uint64_t shown_ = 0;
  bool ended_ = false;
};

}  // namespace

void LogRates::add(const record::LabelSet& labels, const show::TopCount& count) {
  auto known = by_set_.find(&labels);
  if (known == by_set_.end()) {
    show::TopRow row = row_of(labels);
    const auto [named, is_new] = by_name_.emplace(row.name, rows_.size());
    if (is_new) rows_.push_back(std::move(row));
    known = by_set_.emplace(&labels, Known{record::LabelSetRef::share(&labels), named->second}).first;
  }
  rows_[known->second.row].count.add(count);
}

show::TopReport LogRates::take(base::Timestamp now, base::Duration over, show::TopOrder order, bool judged) {
  show::TopReport report{
      .time = now, .over = over, .judged = judged, .all = {}, .logs = std::exchange(rows_, {}), .namespaces = {}};
  by_name_.clear();
  by_set_.clear();
  report.finish(order);
  return report;
}

Result<std::unique_ptr<pipeline::Stage>> make_top(const TopSpec& spec, TopView& view, const pipeline::Context& context) {
  std::unique_ptr<RuleBook> rules;
  if (!spec.rules.empty()) {
    auto opened = RuleBook::open(
        {.files = spec.rules, .kube = spec.kube, .keep_beside = {}, .strict = true, .buffer_behind = true, .levels_known = true},
        context);
    if (!opened) return std::move(opened).error();
    rules = std::move(*opened);
  }
  return std::unique_ptr<pipeline::Stage>(std::make_unique<Top>(spec, std::move(rules), view, context));
}

Result<show::TopReport> SpoolRates::read(base::Timestamp now) {
  const base::Timestamp from = now - over_;
  auto blocks = reader_->list({});
  if (!blocks) return std::move(blocks).error();
  std::erase_if(blocks_, [&](const auto& one) { return one.second.at < from; });
  for (const spool::BlockInfo& block : *blocks) {
    if (block.stored < from || block.stored > now || blocks_.contains(block.id)) continue;
    auto streams = reader_->streams(block.id);
    if (!streams && streams.error().code == base::Code::corrupt) continue;  // `spool check` reports it
    if (!streams) return std::move(streams).error();
    blocks_[block.id] = {block.stored, std::move(*streams)};
  }
  LogRates rates;
  const bool young = !blocks->empty() && blocks->front().stored > from;
  // What the first block of a young spool holds came before it was stored, nobody knows in which time.
  const auto begin = young && blocks_.size() > 1 ? std::next(blocks_.begin()) : blocks_.begin();
  const base::Timestamp first = blocks_.empty() ? now : blocks_.begin()->second.at;
  for (auto block = begin; block != blocks_.end(); ++block) {
    const Stored& stored = block->second;
    for (const spool::StreamInfo& stream : stored.streams)
      rates.add(*stream.labels, {.records = stream.records, .bytes = stream.line_bytes});
  }
  return rates.take(now, young ? std::max(now - first, base::kSecond) : over_, order_, false);
}

}  // namespace weir::stages
