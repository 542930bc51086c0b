// Eight records, and tables of queries over them.
#pragma once

#include "logql/metric_eval.h"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace weir::test {

inline const std::vector<TimedLine>& lines() {
  static const std::vector<TimedLine> all = {
      {10, "n=1 level=info", {{"app", "x"}, {"pod", "a"}}},  {20, "n=2 level=error", {{"app", "x"}, {"pod", "b"}}},
      {30, "n=3 level=info", {{"app", "x"}, {"pod", "a"}}},  {60, "n=4 level=error", {{"app", "y"}, {"pod", "c"}}},
      {60, "n=5 level=info", {{"app", "x"}, {"pod", "a"}}},  {61, "n=6 level=info", {{"app", "x"}, {"pod", "a"}}},
      {119, "n=7 level=warn", {{"app", "x"}, {"pod", "b"}}}, {120, "n=8 level=info", {{"app", "x"}, {"pod", "a"}}},
  };
  return all;
}

struct MetricRow {
  std::string_view query;
  std::string_view expected;
};

inline void expect_rows(std::initializer_list<MetricRow> rows, double start, double end, double step) {
  for (const MetricRow& row : rows) EXPECT_EQ(evaluate_metric(row.query, lines(), start, end, step), row.expected) << row.query;
}

}  // namespace weir::test
