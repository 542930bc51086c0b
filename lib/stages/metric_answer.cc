#include "stages/metric_answer.h"

#include "scan/metric_points.h"
#include "scan/metric_scan.h"
#include "stages/answer_source.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using base::Result;

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
    auto emitted = emit_samples(out, *answer);
    finished_ = emitted.ok();
    if (finished_ && shown() == 0) {
      explain_nothing(spec_.spools, query_->reads(), unreadable);
      if (why_.empty() && spec_.when_empty.empty()) why_ = "no sample in this time";
    }
    return emitted;
  }

 private:
  std::unique_ptr<logql::MetricQuery> query_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
};

}  // namespace

Result<logql::MetricTimes> metric_times(const QuerySpec& spec, const base::TimeRange& range) {
  if (spec.instant) return logql::MetricTimes{range.to, range.to, base::kSecond};
  const logql::MetricTimes times = {range.from, range.to, spec.step > 0 ? spec.step : scan::default_step(range.to - range.from)};
  if ((times.end - times.start) / times.step > scan::kMostPoints) {
    return fail(Code::config, "cannot evaluate the query: it has more than {} points of time", scan::kMostPoints)
        .with_hint("take a longer --step, or a shorter time");
  }
  return times.aligned();
}

Result<std::unique_ptr<pipeline::Source>> make_spool_metric(const QuerySpec& spec, const pipeline::Context& context) {
  base::TimeRange range = spec.range;
  auto stored = scan::stored_time(spec.spools, spec.tenant);
  if (!stored) return std::move(stored).error();
  const base::TimeRange all = stored->value_or(base::TimeRange{0, 0});
  if (range.from == base::TimeRange::kBeginning) range.from = all.from;
  if (range.to == base::TimeRange::kForever) range.to = std::max(all.to, range.from);
  auto times = metric_times(spec, range);
  if (!times) return std::move(times).error();
  auto query = logql::MetricQuery::compile(spec.logql, *times, spec.instant, {}, {.selector_optional = true});
  if (!query) return std::move(query).error();
  return std::unique_ptr<pipeline::Source>(std::make_unique<SpoolMetric>(spec, context, std::move(*query)));
}

}  // namespace weir::stages
