#include "stages/metric_answer.h"

#include "gotext/quantity.h"
#include "logql/metric_query.h"
#include "record/json.h"
#include "scan/metric_points.h"
#include "scan/metric_scan.h"
#include "stages/answer_source.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using base::Result;
using record::Batch;
using record::Record;

class SpoolMetric : public AnswerSource {
 public:
  SpoolMetric(QuerySpec spec, const pipeline::Context& context, std::unique_ptr<logql::MetricQuery> query)
      : AnswerSource(std::move(spec), context), query_(std::move(query)) {}

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    bool interrupted = false;
    std::uint64_t unreadable = 0;
    const auto watch = [&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, 0);
      interrupted = interrupted || stop.stopped();
      return !interrupted;
    };
    auto answer = scan::evaluate(spec_.spools, *query_, {.limits = spec_.scan, .tenant = spec_.tenant, .watch = watch},
                                 *context_.diagnostics, unreadable);
    progress_.end();
    unreadable_.add(unreadable);
    if (interrupted) return fail(Code::interrupted, "interrupted while reading {}", spools_in_words(spec_.spools));
    if (!answer) return std::move(answer).error();
    auto emitted = emit_series_of(out, *answer);
    finished_ = emitted.ok();
    if (finished_ && shown() == 0) {
      explain_nothing(spec_.spools, query_->reads(), unreadable);
      if (why_.empty() && spec_.when_empty.empty()) why_ = "no sample in this time";
    }
    return emitted;
  }

 private:
  // Oldest first, and those of one time in the order of the series: as answers of Loki come.
  Result<void> emit_series_of(pipeline::Outlet& out, const logql::MetricAnswer& answer) {
    constexpr std::size_t kAtOnce = 1000;
    Batch batch;
    std::string text;
    const auto flush = [&]() -> Result<bool> {
      if (batch.records.empty()) return true;
      const auto flow = emit(out, batch);
      batch.clear();
      batch.records.clear();
      if (!flow) return flow.error();
      return *flow == pipeline::Flow::more;
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

  std::unique_ptr<logql::MetricQuery> query_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_spool_metric(const QuerySpec& spec, const pipeline::Context& context) {
  base::TimeRange range = spec.range;
  auto stored = scan::stored_time(spec.spools, spec.tenant);
  if (!stored) return std::move(stored).error();
  const base::TimeRange all = stored->value_or(base::TimeRange{0, 0});
  if (range.from == base::TimeRange::kBeginning) range.from = all.from;
  if (range.to == base::TimeRange::kForever) range.to = std::max(all.to, range.from);
  logql::MetricTimes times = {range.to, range.to, base::kSecond};
  if (!spec.instant) {
    times = logql::MetricTimes{range.from, range.to, spec.step > 0 ? spec.step : scan::default_step(range.to - range.from)};
    if ((times.end - times.start) / times.step > scan::kMostPoints) {
      return fail(Code::config, "cannot evaluate the query: it has more than {} points of time", scan::kMostPoints)
          .with_hint("take a longer --step, or a shorter time");
    }
    times = times.aligned();
  }
  auto query = logql::MetricQuery::compile(spec.logql, times, spec.instant, {}, {.selector_optional = true});
  if (!query) return std::move(query).error();
  return std::unique_ptr<pipeline::Source>(std::make_unique<SpoolMetric>(spec, context, std::move(*query)));
}

}  // namespace weir::stages
