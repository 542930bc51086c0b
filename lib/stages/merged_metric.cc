#include "stages/merged_metric.h"

#include "logql/metric_query.h"
#include "logql/printer.h"
#include "stages/loki_answer.h"
#include "stages/merged_source.h"
#include "stages/metric_answer.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::stages {
namespace {

using base::Result;
using pipeline::Context;
using record::Batch;
using record::Record;

// Records that are read once, and the ranges that they are for.
struct Reading {
  logql::LogExpr log;
  base::TimeRange window;
  std::vector<std::size_t> ranges;
};

bool begins_with(const logql::LogExpr& log, const logql::LogExpr& part) {
  return log.matchers == part.matchers && log.stages.size() >= part.stages.size() &&
         std::equal(part.stages.begin(), part.stages.end(), log.stages.begin());
}

// As few as can be, without reading more than the ranges need.
std::vector<Reading> readings_of(logql::MetricQuery& query) {
  std::vector<Reading> wanted;
  for (std::size_t i = 0; i < query.ranges(); ++i) {
    const logql::RangeVector& range = query.range(i);
    // Loki knows no time before 1970.
    const base::TimeRange reads = {std::max<base::Timestamp>(range.reads().from, 0), range.reads().to};
    wanted.push_back({comparable_part(range.query().expr()), reads, {i}});
  }
  // Those that take most come first.
  std::ranges::stable_sort(wanted, [](const Reading& a, const Reading& b) {
    if (a.log.stages.size() != b.log.stages.size()) return a.log.stages.size() < b.log.stages.size();
    return a.window.from < b.window.from;
  });
  std::vector<Reading> readings;
  for (Reading& one : wanted) {
    const auto shared = std::ranges::find_if(readings, [&](const Reading& other) {
      if (!begins_with(one.log, other.log)) return false;
      if (other.window.from <= one.window.from && one.window.to <= other.window.to) return true;
      return one.log == other.log && one.window.from <= other.window.to && other.window.from <= one.window.to;
    });
    if (shared == readings.end()) {
      readings.push_back(std::move(one));
      continue;
    }
    shared->window = {std::min(shared->window.from, one.window.from), std::max(shared->window.to, one.window.to)};
    shared->ranges.push_back(one.ranges.front());
  }
  return readings;
}

class MergedMetric : public MergedSource {
 public:
  MergedMetric(QuerySpec spec, const Context& context, std::unique_ptr<logql::MetricQuery> query)
      : MergedSource(std::move(spec), context), query_(std::move(query)) {}

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    const std::vector<Reading> readings = readings_of(*query_);
    std::vector<Question> questions;
    for (const Reading& reading : readings) {
      auto asked = logql::LogQuery::compile(reading.log, {});
      if (!asked) return std::move(asked).error();
      questions.push_back({std::move(*asked), logql::print(reading.log), reading.window});
    }
    const auto count = [&](std::size_t question, Record& record, Batch& batch, bool) -> Result<bool> {
      record.extra = nullptr;  // an error that Loki's filters found is found again
      for (const std::size_t range : readings[question].ranges) {
        auto sample = query_->range(range).sample(record, batch);
        if (!sample) return std::move(sample).error();
        if (!*sample) continue;
        if (auto added = query_->add(range, **sample); !added) return std::move(added).error();
      }
      return true;
    };
    if (auto done = read(std::move(questions), count, stop); !done) return done;
    auto answer = query_->finish();
    if (!answer) return std::move(answer).error();
    auto emitted = emit_samples(out, *answer);
    finished_ = emitted.ok();
    if (finished_ && shown() == 0) {
      explain_nothing_in_both(query_->reads());
      if (why_.empty() && spec_.when_empty.empty()) why_ = "no sample in this time";
    }
    return emitted;
  }

 private:
  std::unique_ptr<logql::MetricQuery> query_;
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_merged_metric(const QuerySpec& spec, const Context& context) {
  if (auto good = check_for_loki(spec); !good) return std::move(good).error();
  auto times = metric_times(spec, spec.range);
  if (!times) return std::move(times).error();
  auto query = logql::MetricQuery::compile(spec.logql, *times, spec.instant, {});
  if (!query) return std::move(query).error();
  auto answer = std::make_unique<MergedMetric>(spec, context, std::move(*query));
  if (auto opened = answer->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(answer));
}

}  // namespace weir::stages
