// One rule over a span of time: evaluated as Loki's ruler evaluates it, at points of time that are one interval apart, in one pass
// over the records.
//
//   auto run = RuleRun::compile(rule, group, times, context);
//   for (…) run->add(record, batch);              // in the order of time, those of run->reads() that it selects
//   run->finish([&](std::size_t point) { … run->alerts() … });
//
// The query keeps the values of all points in memory until finish(): 16 bytes for each point and series that the expression gives.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "logql/metric_query.h"
#include "record/record.h"
#include "ruler/alert_state.h"
#include "ruler/alert_template.h"
#include "ruler/rule_file.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::ruler {

struct RunContext {
  const Pairs* external_labels = nullptr;  // null: none. They must outlive the run
  std::string_view external_url;
};

struct Sample {
  record::LabelSetRef labels;
  double value = 0;
};

// Not thread safe. The rule must outlive it.
class RuleRun {
 public:
  // `times`: those of the evaluations. A recording rule is evaluated at each of them as well. Errors: Code::config, of the
  // expression and the templates.
  static base::Result<std::unique_ptr<RuleRun>> compile(const Rule& rule, const Group& group, const logql::MetricTimes& times,
                                                        const RunContext& context);

  [[nodiscard]] base::TimeRange reads() const { return query_->reads(); }
  [[nodiscard]] bool selects(const record::LabelSet& labels) const { return query_->selects(labels); }
  [[nodiscard]] logql::LogExpr common_filter() const { return query_->common_filter(); }
  // Once it has failed, further records change nothing: see error().
  void add(record::Record& record, record::Batch& batch);

  // Evaluates all points, and calls `each` behind each of them. In the call, alerts(), samples() and error() are those of the
  // point.
  void finish(const std::function<void(std::size_t point, base::Timestamp time)>& each);

  [[nodiscard]] const Rule& rule() const { return rule_; }
  [[nodiscard]] std::vector<Alert> alerts() const { return alerts_.all(); }  // of an alert
  [[nodiscard]] const std::optional<Alert>& last_resolved() const { return alerts_.last_resolved(); }
  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }  // of a recording rule; sorted by labels
  [[nodiscard]] Pairs annotations(const Alert& alert) const;                     // expanded
  // Why the evaluation failed: the query, for all points; two series with the same labels, or the limit, for one.
  [[nodiscard]] const std::optional<base::Error>& error() const { return error_; }

 private:
  using Templates = std::vector<std::pair<std::string, AlertTemplate>>;
  RuleRun(const Rule& rule, const Group& group, const logql::MetricTimes& times, const RunContext& context);
  static base::Result<Templates> compile(const Pairs& texts, const std::string& alert);
  [[nodiscard]] record::LabelSetRef labels_of(const Sample& sample, base::Timestamp time);
  void step(base::Timestamp time, const std::vector<Sample>& answer);

  const Rule& rule_;
  std::size_t limit_;
  base::Duration delay_;
  logql::MetricTimes times_;
  RunContext context_;
  std::unique_ptr<logql::MetricQuery> query_;
  Templates labels_, annotations_;
  Alerts alerts_;
  std::vector<Sample> samples_;
  std::optional<base::Error> error_, broken_;  // broken_: of the query
};

// The labels as Prometheus writes them: {a="b", c="d"}, with the name of a metric in front.
[[nodiscard]] std::string print_labels(std::span<const record::Label> labels);

}  // namespace weir::ruler
