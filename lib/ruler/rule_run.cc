#include "ruler/rule_run.h"

#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::ruler {

using base::Result;
using base::Timestamp;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;

RuleRun::RuleRun(const Rule& rule, const Group& group, const logql::MetricTimes& times, const RunContext& context)
    : rule_(rule),
      limit_(group.limit),
      delay_(group.delay),
      times_(times),
      context_(context),
      alerts_({.hold = rule.hold, .keep_firing = rule.keep_firing, .limit = group.limit}) {}

Result<RuleRun::Templates> RuleRun::compile(const Pairs& texts, const std::string& alert) {
  Templates made;
  for (const auto& [name, text] : texts) {
    auto compiled = AlertTemplate::compile(text, alert);
    if (!compiled) return std::move(compiled).error();
    made.emplace_back(name, *std::move(compiled));
  }
  return made;
}

Result<std::unique_ptr<RuleRun>> RuleRun::compile(const Rule& rule, const Group& group, const logql::MetricTimes& times,
                                                  const RunContext& context) {
  auto run = std::unique_ptr<RuleRun>(new RuleRun(rule, group, times, context));
  const logql::MetricTimes asked = {times.start - group.delay, times.end - group.delay, times.step};
  auto query = logql::MetricQuery::compile(rule.expr, asked, false, {});
  if (!query) return std::move(query).error();
  run->query_ = *std::move(query);
  if (rule.kind == Rule::Kind::record) return run;
  auto labels = compile(rule.labels, rule.name);
  if (!labels) return std::move(labels).error();
  auto annotations = compile(rule.annotations, rule.name);
  if (!annotations) return std::move(annotations).error();
  run->labels_ = *std::move(labels);
  run->annotations_ = *std::move(annotations);
  return run;
}

void RuleRun::add(record::Record& record, record::Batch& batch) {
  if (broken_) return;
  if (auto good = query_->add(record, batch); !good) broken_ = std::move(good).error();
}

void RuleRun::finish(const std::function<void(std::size_t point, Timestamp time)>& each) {
  logql::MetricAnswer answer;
  if (!broken_) {
    auto finished = query_->finish();
    if (finished) {
      answer = *std::move(finished);
    } else {
      broken_ = std::move(finished).error();
    }
  }
  // The points of each series come in their order.
  std::vector<std::size_t> next(answer.series.size());
  std::vector<Sample> vector;
  for (std::size_t point = 0; point < times_.points(); ++point) {
    const Timestamp time = times_.point(point);
    error_ = broken_;
    vector.clear();
    const Timestamp asked = (time - delay_) / base::kMillisecond * base::kMillisecond;
    for (std::size_t i = 0; i < answer.series.size(); ++i) {
      const auto& points = answer.series[i].points;
      if (next[i] == points.size() || points[next[i]].time != asked) continue;
      vector.push_back({answer.series[i].labels, points[next[i]++].value});
    }
    if (!broken_) step(time, vector);
    each(point, time);
  }
}

LabelSetRef RuleRun::labels_of(const Sample& sample, Timestamp time) {
  std::vector<std::string> texts;
  std::vector<Label> labels;
  for (const Label& label : sample.labels->labels()) {
    if (label.name != "__name__") labels.push_back(label);
  }
  if (rule_.kind == Rule::Kind::record) {
    labels.push_back({"__name__", rule_.name});
    for (const auto& [name, value] : rule_.labels) labels.push_back({name, value});
    return LabelSet::intern(labels);
  }
  texts.reserve(labels_.size());
  const AlertData data = {sample.labels.get(), sample.value, time, context_.external_labels, context_.external_url};
  for (const auto& [name, text] : labels_) labels.push_back({name, texts.emplace_back(text.expand(data))});
  labels.push_back({"alertname", rule_.name});
  return LabelSet::intern(labels);
}

void RuleRun::step(Timestamp time, const std::vector<Sample>& answer) {
  if (rule_.kind == Rule::Kind::alert) {
    std::vector<Instance> instances;
    for (const Sample& sample : answer) instances.push_back({labels_of(sample, time), sample.labels, sample.value});
    if (auto good = alerts_.step(time, instances); !good) error_ = std::move(good).error();
    return;
  }
  samples_.clear();
  for (const Sample& sample : answer) samples_.push_back({labels_of(sample, time), sample.value});
  std::ranges::sort(samples_, [](const Sample& a, const Sample& b) { return by_labels(*a.labels, *b.labels); });
  const auto same = [](const Sample& a, const Sample& b) { return a.labels == b.labels; };
  if (std::ranges::adjacent_find(samples_, same) != samples_.end()) {
    error_ = base::fail(base::Code::config, "vector contains metrics with the same labelset after applying rule labels")
                 .with_hint("a label of the rule hides one that tells the series apart");
  } else if (limit_ > 0 && samples_.size() > limit_) {
    error_ = base::fail(base::Code::config, "exceeded limit of {} with {} series", limit_, samples_.size())
                 .with_hint("raise the `limit` of the group, or aggregate: sum by (namespace) (…)");
  }
  if (error_) samples_.clear();
}

Pairs RuleRun::annotations(const Alert& alert) const {
  const AlertData data = {alert.sample.get(), alert.value, alert.evaluated, context_.external_labels, context_.external_url};
  Pairs pairs;
  for (const auto& [name, text] : annotations_) pairs.emplace_back(name, text.expand(data));
  return pairs;
}

std::string print_labels(std::span<const Label> labels) {
  std::string text;
  for (const Label& label : labels) {
    if (label.name == "__name__") text = label.value;
  }
  text += '{';
  for (const Label& label : labels) {
    if (label.name == "__name__") continue;
    if (text.back() != '{') text += ", ";
    (text += label.name) += '=';
    gotext::append_quoted(text, label.value);
  }
  return text + '}';
}

}  // namespace weir::ruler
