#include "stages/answer_source.h"

#include "base/count.h"
#include "base/visible.h"
#include "gotext/quantity.h"
#include "record/json.h"
#include "scan/metric_scan.h"
#include "scan/unmatched.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace weir::stages {

using base::Result;
using metrics::Account;
using pipeline::Context;
using pipeline::Flow;
using pipeline::Outlet;
using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

namespace {

constexpr auto kRecordsIn =
    metrics::counter("weir_query_answer_records_total", "records", "Records of the answer, up to the limit.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_query_answer_bytes_total", "bytes", "Bytes of the lines of the answer.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_query_output_records_total", "records", "Records that query passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_query_output_bytes_total", "bytes", "Bytes of the lines that query passed on.", Account::out);

}  // namespace

AnswerSource::AnswerSource(QuerySpec spec, const Context& context)
    : spec_(std::move(spec)),
      context_(context),
      block_(context.metrics, context.driver),
      records_in_(block_.counter(kRecordsIn)),
      bytes_in_(block_.counter(kBytesIn)),
      records_out_(block_.counter(kRecordsOut)),
      bytes_out_(block_.counter(kBytesOut)) {}

std::string AnswerSource::printed(const LabelSet& set) {
  std::string text = "{";
  for (const Label& label : set.labels()) {
    if (text.size() > 1) text += ", ";
    (text += label.name) += "=\"";
    for (const char c : label.value) {
      if (c == '"' || c == '\\') text += '\\';
      if (c == '\n') {
        text += "\\n";
      } else {
        text += c;
      }
    }
    text += '"';
  }
  return text + '}';
}

std::string AnswerSource::summary() const {
  if (spec_.quiet) return {};
  if (shown() == 0 && finished_) return why_.empty() ? spec_.when_empty : why_;
  if (!more_) return {};
  using What = QuerySpec::What;
  const auto limit = [&](std::string_view one, std::string_view many) {
    return fmt::format("{} shown, which is the limit (--limit 0 shows all)", base::count_of(spec_.limit, one, many));
  };
  if (spec_.what == What::volume) return limit("volume is", "volumes are");
  if (spec_.what == What::fields) return limit("field is", "fields are");
  if (spec_.what == What::values) return limit("value is", "values are");
  return fmt::format("only the {} {} shown; there are {} (--limit 0 shows all)", spec_.forward ? "oldest" : "newest",
                     base::count_of(spec_.limit, "record is", "records are"), spec_.forward ? "later ones" : "older ones");
}

Result<Flow> AnswerSource::emit(Outlet& out, Batch& batch) {
  const pipeline::Tally tally = pipeline::tally_of(batch);
  records_in_.add(tally.records);
  bytes_in_.add(tally.bytes);
  records_out_.add(tally.records);
  bytes_out_.add(tally.bytes);
  if (!spec_.labels.all()) choose_labels(batch);
  return out.emit(batch);
}

void AnswerSource::choose_labels(Batch& batch) {
  constexpr std::size_t kMostKnown = 4096;
  if (chosen_.size() > kMostKnown) chosen_.clear();
  for (Record& record : batch.records) {
    if (record.sample) continue;
    Chosen& chosen = chosen_[record.labels];
    if (!chosen.of) {
      chosen.of = LabelSetRef::share(record.labels);
      std::vector<Label> kept;
      for (const Label& label : record.labels->labels()) {
        if (spec_.labels.takes(label.name)) kept.push_back(label);
      }
      chosen.labels = LabelSet::intern(kept);
    }
    record.labels = batch.hold(chosen.labels);
    const auto kept = batch.allocate_labels(record.metadata.size());
    std::size_t count = 0;
    for (const Label& label : record.metadata) {
      if (spec_.labels.takes(label.name)) kept[count++] = label;
    }
    record.metadata = kept.first(count);
    record.touch();
  }
}

void AnswerSource::explain_nothing(std::span<const std::string> spools, const base::TimeRange& range, std::uint64_t unreadable) {
  if (unreadable > 0) {
    why_ = "nothing in what could be read of the spool";
    return;
  }
  if (spec_.tenant && !spec_.tenant->empty()) {
    if (const auto stored = scan::stored_time(spools, spec_.tenant); stored && !*stored) {
      why_ = fmt::format("no record of the tenant {} here; -o jsonl shows the tenant of each record",
                         base::escape_control(*spec_.tenant));
      return;
    }
  }
  why_ = scan::explain_nothing_in_spools(spools, spec_.logql, range, context_.clock->wall(), spec_.tenant);
}

void AnswerSource::show_progress(std::uint64_t done, std::uint64_t all, std::uint64_t bytes, std::uint64_t found) {
  if (!progress_.due()) return;
  progress_.show({.bytes = bytes, .done = done, .all = all, .also = found == 0 ? "" : base::count_of(found, "record") + " found"});
}

Result<void> AnswerSource::emit_lines(Outlet& out, const std::vector<std::string>& lines) {
  Batch batch;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Record record;
    record.timestamp = context_.clock->wall();
    record.labels = batch.hold(LabelSet::empty());
    record.line = record::Text::bytes(batch.copy(lines[i]));
    batch.records.push_back(record);
    if (batch.records.size() < 1000 && i + 1 < lines.size()) continue;
    const auto flow = emit(out, batch);
    if (!flow) return flow.error();
    if (*flow == Flow::done) return {};
    batch.clear();
  }
  return {};
}

Result<void> AnswerSource::emit_series(Outlet& out, const std::vector<LabelSetRef>& series) {
  std::vector<std::string> lines;
  for (const LabelSetRef& set : series) lines.push_back(spec_.json ? std::string(set->json()) : printed(*set));
  return emit_lines(out, lines);
}

Result<void> AnswerSource::emit_samples(Outlet& out, const logql::MetricAnswer& answer) {
  constexpr std::size_t kAtOnce = 1000;
  Batch batch;
  std::string text;
  const auto flush = [&]() -> Result<bool> {
    if (batch.records.empty()) return true;
    const auto flow = emit(out, batch);
    batch.clear();
    batch.records.clear();
    if (!flow) return flow.error();
    return *flow == Flow::more;
  };
  std::vector<std::size_t> next(answer.series.size());  // the point of each series that comes next
  while (true) {
    std::optional<base::Timestamp> time;
    for (std::size_t i = 0; i < next.size(); ++i) {
      const auto& points = answer.series[i].points;
      if (next[i] < points.size()) time = std::min(time.value_or(points[next[i]].time), points[next[i]].time);
    }
    if (!time) break;
    for (std::size_t i = 0; i < next.size(); ++i) {
      const auto& series = answer.series[i];
      if (next[i] == series.points.size() || series.points[next[i]].time != *time) continue;
      Record record;
      record.timestamp = *time;
      record.labels = batch.hold(series.labels);
      record.sample = true;
      text.clear();
      record::append_json_string(text, gotext::print_float_f(series.points[next[i]++].value));
      auto* extra = batch.make<record::Extra>();
      extra->value = batch.copy(text);
      record.extra = extra;
      batch.records.push_back(record);
      if (batch.records.size() < kAtOnce) continue;
      const auto more = flush();
      if (!more) return more.error();
      if (!*more) return {};
    }
  }
  const auto more = flush();
  if (!more) return more.error();
  return {};
}

void AnswerSource::say_incomplete(std::uint64_t timestamps) const {
  if (timestamps == 0) return;
  context_.diagnostics->say(
      fmt::format("at {} there are more equal entries than Loki gives in one answer: some of them are missing",
                  base::count_of(timestamps, "timestamp")));
}

Result<bool> AnswerSource::emit_up_to_limit(Outlet& out, Batch& batch) {
  const bool samples = !batch.records.empty() && batch.records.front().sample;
  if (spec_.limit > 0 && !samples) {
    const std::uint64_t left = spec_.limit - std::min(spec_.limit, shown());
    if (batch.records.size() > left) {
      batch.records.resize(left);
      more_ = true;
    }
  }
  if (!batch.records.empty()) {
    const auto flow = emit(out, batch);
    if (!flow) return flow.error();
    if (*flow == Flow::done) return false;
  }
  return !more_;
}

}  // namespace weir::stages
