#include "stages/filter.h"

#include "logql/log_query.h"
#include "logql/printer.h"
#include "logql/selector_advice.h"
#include "record/dropped_positions.h"
#include "stages/filter_metrics.h"
#include "stages/rule_judge.h"

namespace weir::stages {
namespace {

using logql::LogQuery;
using metrics::Account;
using pipeline::Batch;
using pipeline::Flow;
using pipeline::Outlet;
using pipeline::Record;

constexpr auto kRecordsIn = metrics::counter("weir_filter_input_records_total", "records", "Records that filter got.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_filter_input_bytes_total", "bytes", "Bytes of the lines that filter got.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_filter_output_records_total", "records", "Records that filter passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_filter_output_bytes_total", "bytes", "Bytes of the lines that filter passed on.", Account::out);

class Filter : public pipeline::Stage {
 public:
  Filter(std::vector<LogQuery> pass, std::vector<LogQuery> drop, std::unique_ptr<RuleBook> book, const FilterSpec& spec,
         const pipeline::Context& context)
      : pass_(std::move(pass)),
        drop_(std::move(drop)),
        explain_(spec.explain),
        announces_(spec.rules.buffer_behind.value_or(false)),
        tracked_counts_(!spec.rules.buffer_behind),
        clock_(context.clock),
        block_(context.metrics, context.driver) {
    if (book) judge_ = std::make_unique<RuleJudge>(std::move(book), block_, spec.explain, context);
  }

  [[nodiscard]] std::string_view name() const override { return "filter"; }

  // Of expressions whose selector took nothing of what came, most likely a name is wrong. To drop what did not come is usual, by a
  // label that nothing has it is not.
  [[nodiscard]] std::string summary() const override {
    std::string text;
    const auto selector = [](const LogQuery& query) { return logql::print_selector(query.expr().matchers); };
    const auto explain = [&](std::string_view option, const LogQuery& query, const std::string& why) {
      if (!why.empty()) text += fmt::format("{}{}{} matched nothing: {}", text.empty() ? "" : "; ", option, selector(query), why);
    };
    for (const LogQuery& query : pass_) {
      if (!query.selected_any()) {
        explain("", query, logql::explain_selector(selector(query), query.label_sets_seen()));
      } else if (const auto why = logql::explain_exclusion(selector(query), query.label_sets_seen()); !why.empty()) {
        text += fmt::format("{}{}", text.empty() ? "" : "; ", why);
      }
    }
    for (const LogQuery& query : drop_) {
      if (!query.selected_any()) explain("--drop ", query, logql::explain_labels(selector(query), query.label_sets_seen()));
    }
    if (const std::string more = judge_ ? judge_->summary() : ""; !more.empty()) text += (text.empty() ? "" : "; ") + more;
    return base::escape_control(text);
  }

  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }

  base::Result<void> attach(base::Wake& wake) override { return judge_ ? judge_->attach(wake) : base::Result<void>(); }

  base::Result<base::Monotonic> nudge(base::Monotonic now, Outlet& out) override {
    if (!judge_) return base::kNever;
    const base::Monotonic due = judge_->nudge(now);
    if (auto flow = emit_releases(out); !flow) return std::move(flow).error();
    return due;
  }

  base::Result<Flow> consume(Batch& batch, Outlet& out) override {
    if (judge_) {
      if (auto flow = emit_releases(out); !flow || *flow == Flow::done) return flow;
      judge_->begin_batch(clock_->wall());
    }
    auto& records = batch.records;
    std::size_t kept = 0;
    pipeline::Tally in, passed;
    std::uint64_t not_matched = 0, by_expression = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      Record& record = records[i];
      if (record.is_marker()) {
        if (tracked_counts_ && record.marker->type == record::Marker::Type::begin) announces_ = true;
        if (record.marker->type != record::Marker::Type::position) kept = dropped_.emit(batch, kept);
        if (kept != i) records[kept] = record;
        ++kept;
        continue;
      }
      in.add(record);
      const std::size_t bytes = record.line.data.size();  // a line that matched may be a decoded one then
      const Verdict verdict = judge(record, batch);
      if (verdict == Verdict::pass || explain_) {
        ++passed.records;
        passed.bytes += bytes;
        dropped_.kept(record.source);
        if (kept != i) records[kept] = record;
        ++kept;
      } else {
        not_matched += verdict == Verdict::not_matched ? 1 : 0;
        by_expression += verdict == Verdict::dropped_by_expression ? 1 : 0;
        dropped_.dropped(record.source);
      }
    }
    records_in_.add(in.records);
    bytes_in_.add(in.bytes);
    records_out_.add(passed.records);
    bytes_out_.add(passed.bytes);
    not_matched_.add(not_matched);
    dropped_by_expression_.add(by_expression);
    if (judge_) {
      judge_->end_batch();
      judge_->note_flow(in.records, passed.records);
    }
    records.resize(dropped_.emit(batch, kept));
    if (batch.empty()) return Flow::more;
    return out.emit(batch);
  }

 private:
  enum class Verdict : std::uint8_t { pass, not_matched, dropped_by_expression, dropped_by_rule };

  Verdict judge(Record& record, Batch& batch) {
    const Verdict verdict = judge_by_expressions(record, batch);
    if (verdict == Verdict::pass && judge_) return judge_->passes(record, batch) ? Verdict::pass : Verdict::dropped_by_rule;
    if (explain_) {
      record::set_metadata(batch, record, "weir_rule",
                           verdict == Verdict::pass          ? "pass"
                           : verdict == Verdict::not_matched ? "not matched"
                                                             : "dropped by --drop");
    }
    return verdict;
  }

  Verdict judge_by_expressions(Record& record, Batch& batch) {
    for (LogQuery& query : pass_) {
      if (!query.matches(record, batch)) return record::is_gap(record) ? Verdict::pass : Verdict::not_matched;
    }
    for (LogQuery& query : drop_) {
      if (!query.matches(record, batch) || (query.errored() && !query.asks_for_error())) continue;
      return record::is_gap(record) ? Verdict::pass : Verdict::dropped_by_expression;
    }
    return Verdict::pass;
  }

  // For a buffer behind, where there is one. In a pipe that is not known: there, only who follows a tracked stream reads markers.
  base::Result<Flow> emit_releases(Outlet& out) {
    if (!announces_ || !judge_->releases_changed()) return Flow::more;
    Batch markers;
    judge_->append_releases(markers);
    return markers.empty() ? Flow::more : out.emit(markers);
  }

  std::vector<LogQuery> pass_, drop_;
  const bool explain_;
  bool announces_;             // release markers go downstream
  const bool tracked_counts_;  // they do so once a tracked stream has begun
  base::Clock* const clock_;
  record::DroppedPositions dropped_;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Family by_reason_ = block_.family(kFilterDropped);
  metrics::Counter not_matched_ = by_reason_.at("not_matched"), dropped_by_expression_ = by_reason_.at("dropped_by_expression");
  std::unique_ptr<RuleJudge> judge_;  // null without rules
};

base::Result<std::vector<LogQuery>> compile(const std::vector<std::string>& texts) {
  std::vector<LogQuery> queries;
  for (const std::string& text : texts) {
    auto query = LogQuery::compile(text, {.selector_optional = true});
    if (!query) return std::move(query).error();
    queries.push_back(std::move(*query));
  }
  return queries;
}

}  // namespace

base::Result<void> check_filter(const FilterSpec& spec) {
  if (auto pass = compile(spec.pass); !pass) return std::move(pass).error();
  if (auto drop = compile(spec.drop); !drop) return std::move(drop).error();
  return check_rule_places(spec.rules.files);
}

base::Result<std::unique_ptr<pipeline::Stage>> make_filter(const FilterSpec& spec, const pipeline::Context& context) {
  auto pass = compile(spec.pass);
  if (!pass) return std::move(pass).error();
  auto drop = compile(spec.drop);
  if (!drop) return std::move(drop).error();
  std::unique_ptr<RuleBook> book;
  if (!spec.rules.files.empty()) {
    auto opened = RuleBook::open(spec.rules, context);
    if (!opened) return std::move(opened).error();
    book = *std::move(opened);
  }
  return std::unique_ptr<pipeline::Stage>(
      std::make_unique<Filter>(std::move(*pass), std::move(*drop), std::move(book), spec, context));
}

}  // namespace weir::stages
