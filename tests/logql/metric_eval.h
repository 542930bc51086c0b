// Runs a metric query over a few records and tells what came of it as text, for tables of cases.
#pragma once

#include "gotext/quantity.h"
#include "logql/metric_query.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

struct TimedLine {
  double seconds;
  std::string_view line;
  std::vector<record::Label> labels = {{"app", "x"}};
  std::vector<record::Label> metadata = {};
};

inline std::string print_answer(const logql::MetricAnswer& answer) {
  std::string text;
  for (const auto& series : answer.series) {
    if (!text.empty()) text += " | ";
    for (const record::Label& label : series.labels->labels()) text += fmt::format("{}={} ", label.name, label.value);
    for (std::size_t i = 0; i < series.points.size(); ++i) {
      const auto& point = series.points[i];
      text += fmt::format("{}{}:{}", i == 0 ? "" : " ", point.time / base::kSecond, gotext::print_float_f(point.value));
    }
  }
  return text;
}

inline base::Timestamp at(double seconds) { return static_cast<base::Timestamp>(seconds * 1e9); }

// "app=x 60:1 120:2 | app=y …", or "ERROR …". Times and step in seconds; step 0 asks for one point.
inline std::string evaluate_metric(std::string_view query, const std::vector<TimedLine>& lines, double start, double end,
                                   double step, const logql::MetricLimits& limits = {}) {
  auto compiled = logql::MetricQuery::compile(query, {at(start), at(end), at(step)}, step == 0, limits);
  if (!compiled) return "ERROR " + compiled.error().message;
  record::Batch batch;
  for (const TimedLine& one : lines) {
    batch.clear();
    record::Record record;
    record.timestamp = at(one.seconds);
    record.labels = batch.hold(record::LabelSet::intern(one.labels));
    record.line = record::Text::bytes(one.line);
    record.metadata = one.metadata;
    if (!(*compiled)->selects(*record.labels)) continue;
    if (auto added = (*compiled)->add(record, batch); !added) return "ERROR " + added.error().message;
  }
  auto answer = (*compiled)->finish();
  return answer ? print_answer(*answer) : "ERROR " + answer.error().message;
}

}  // namespace weir::test
