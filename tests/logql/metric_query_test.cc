#include "logql/metric_query.h"

#include "logql/metric_eval.h"

namespace weir::logql {
namespace {

using test::evaluate_metric;
using test::TimedLine;

const std::vector<TimedLine>& lines() {
  static const std::vector<TimedLine> all = {
      {10, "n=1 level=info", {{"app", "x"}, {"pod", "a"}}},  {20, "n=2 level=error", {{"app", "x"}, {"pod", "b"}}},
      {30, "n=3 level=info", {{"app", "x"}, {"pod", "a"}}},  {60, "n=4 level=error", {{"app", "y"}, {"pod", "c"}}},
      {60, "n=5 level=info", {{"app", "x"}, {"pod", "a"}}},  {61, "n=6 level=info", {{"app", "x"}, {"pod", "a"}}},
      {119, "n=7 level=warn", {{"app", "x"}, {"pod", "b"}}}, {120, "n=8 level=info", {{"app", "x"}, {"pod", "a"}}},
  };
  return all;
}

struct Row {
  std::string_view query;
  std::string_view expected;
};

void expect_rows(std::initializer_list<Row> rows, double start, double end, double step) {
  for (const Row& row : rows) EXPECT_EQ(evaluate_metric(row.query, lines(), start, end, step), row.expected) << row.query;
}

TEST(MetricQuery, AWindowEndsAtItsPointAndBeginsBehindTheOneBefore) {
  expect_rows(
      {
          {R"(sum(count_over_time({app="x"}[60s])))", "60:4 120:3"},
          {R"(sum(count_over_time({app="x"}[120s])))", "60:4 120:7"},
          {R"(sum(count_over_time({app="x"}[1s])))", "60:1 120:1"},
          {R"(sum(count_over_time({app="x"}[60s] offset 60s)))", "120:4"},
          {R"(sum(count_over_time({app="x"}[60s] offset -60s)))", "0:4 60:3"},
          {R"(sum(rate({app="x"}[60s])) * 60)", "60:4 120:3"},
          {R"(sum(bytes_over_time({app="y"}[60s])))", "60:15"},
      },
      0, 120, 60);
}

TEST(MetricQuery, Aggregates) {
  expect_rows(
      {
          {R"(sum by (app) (count_over_time({app=~".+"}[60s])))", "app=x 60:4 120:3 | app=y 60:1"},
          {R"(sum without (pod) (count_over_time({app=~".+"}[60s])))", "app=x 60:4 120:3 | app=y 60:1"},
          {R"(max(count_over_time({app=~".+"}[60s])))", "60:3 120:2"},
          {R"(min(count_over_time({app=~".+"}[60s])))", "60:1 120:1"},
          {R"(avg(count_over_time({app="x"}[60s])))", "60:2 120:1.5"},
          {R"(count(count_over_time({app=~".+"}[60s])))", "60:3 120:2"},
          {R"(stddev(count_over_time({app="x"}[60s])))", "60:1 120:0.5"},
          {R"(stdvar(count_over_time({app="x"}[60s])))", "60:1 120:0.25"},
          {R"(topk(1, count_over_time({app=~".+"}[60s])))", "app=x pod=a 60:3 120:2"},
          {R"(bottomk(1, count_over_time({app="x"}[60s])))", "app=x pod=b 60:1 120:1"},
          {R"(topk by (app) (1, count_over_time({app=~".+"}[60s])))", "app=x pod=a 60:3 120:2 | app=y pod=c 60:1"},
          {R"(sum by (level) (count_over_time({app="x"} | logfmt [60s])))",
           "level=error 60:1 | level=info 60:3 120:2 | level=warn 120:1"},
      },
      0, 120, 60);
}

TEST(MetricQuery, Combines) {
  expect_rows(
      {
          {R"(sum(count_over_time({app="x"}[60s])) > 3)", "60:4"},
          {R"(sum(count_over_time({app="x"}[60s])) > bool 3)", "60:1 120:0"},
          {R"(3 < sum(count_over_time({app="x"}[60s])))", "60:4"},
          {R"(sum(count_over_time({app="x"}[60s])) / 0)", "60:NaN 120:NaN"},
          {R"(sum by (app) (count_over_time({app=~".+"}[60s])) - sum by (app) (count_over_time({pod="a"}[60s])))",
           "app=x 60:1 120:1"},
          {R"(count_over_time({app="x"}[60s]) / on (app) group_left sum by (app) (count_over_time({app="x"}[60s])))",
           "app=x pod=a 60:0.75 120:0.6666666666666666 | app=x pod=b 60:0.25 120:0.3333333333333333"},
          {R"(sum by (app) (count_over_time({app="x"}[60s])) or sum by (app) (count_over_time({app="y"}[60s])))",
           "app=x 60:4 120:3 | app=y 60:1"},
          {R"(count_over_time({app="x"}[60s]) and count_over_time({pod="b"}[60s]))", "app=x pod=b 60:1 120:1"},
          {R"(count_over_time({app="x"}[60s]) unless count_over_time({pod="b"}[60s]))", "app=x pod=a 60:3 120:2"},
          {R"(sum(count_over_time({app="nix"}[60s])) or vector(0))", "0:0 60:0 120:0"},
          {R"q(label_replace(sum by (pod) (count_over_time({app="y"}[60s])), "kind", "<$1>", "pod", "(.)"))q",
           "kind=<c> pod=c 60:1"},
          {"1 + 1", "0:2 60:2 120:2"},
      },
      0, 120, 60);
}

TEST(MetricQuery, AtOnePoint) {
  expect_rows(
      {
          {R"(count_over_time({app=~".+"}[60s]))", "app=x pod=a 60:3 | app=x pod=b 60:1 | app=y pod=c 60:1"},
          {R"(sort(sum by (pod) (count_over_time({app=~".+"}[60s]))))", "pod=b 60:1 | pod=c 60:1 | pod=a 60:3"},
          {R"(sort_desc(sum by (pod) (count_over_time({app=~".+"}[60s]))))", "pod=a 60:3 | pod=b 60:1 | pod=c 60:1"},
          {"vector(7)", "60:7"},
          {"2 ^ 3", "60:8"},
      },
      60, 60, 0);
}

TEST(MetricQuery, SaysWhetherItIsAScalar) {
  for (const auto& [text, kind] : std::initializer_list<std::pair<std::string_view, MetricAnswer::Kind>>{
           {"1", MetricAnswer::Kind::scalar}, {"vector(1)", MetricAnswer::Kind::vector}}) {
    auto query = MetricQuery::compile(text, {0, 0, 0}, true, {});
    ASSERT_TRUE(query.ok());
    auto answer = (*query)->finish();
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer->kind, kind) << text;
  }
}

TEST(MetricQuery, Refuses) {
  expect_rows(
      {
          {R"(count_over_time({app="x"} | json [60s]))",
           R"(ERROR pipeline error: 'JSONParserErr' for series: '{__error__="JSONParserErr", )"
           R"(__error_details__="Value looks like object, but can't find closing '}' symbol", app="x", pod="a"}'.)"},
          {R"(count_over_time({app="x"}[60s]) / on (app) count_over_time({app="x"}[60s]))",
           "ERROR found duplicate series on the right hand-side;many-to-many matching not allowed: matching labels must be unique "
           "on one "
           "side"},
          {R"(count_over_time({app="x"}[60s]) / on (app) sum by (app) (count_over_time({app="x"}[60s])))",
           "ERROR multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"},
          {R"({app="x"})", R"(ERROR cannot evaluate {app="x"} as a metric query: it is a log query)"},
          {R"(approx_topk(1, rate({app="x"}[60s])))", "ERROR cannot evaluate approx_topk: weir counts exactly"},
      },
      60, 120, 60);
  EXPECT_EQ(
      evaluate_metric(R"(count_over_time({app=~".+"}[60s]))", lines(), 0, 120, 60, {.series = 2, .memory = 1 << 20}),
      "ERROR maximum number of series (2) reached for a single query; consider reducing query cardinality by adding more specific "
      "stream selectors, reducing the time range, or aggregating results with functions like sum(), count() or topk()");
  EXPECT_EQ(evaluate_metric(R"(count_over_time({app=~".+"}[60s]))", lines(), 0, 120, 60, {.series = 0, .memory = 100}),
            "ERROR cannot evaluate the query: its series take more than 0 MiB of memory");
}

// What no label of the answer needs is not parsed, so its errors are none.
TEST(MetricQuery, ParsesOnlyWhatItNeeds) {
  expect_rows(
      {
          {R"(sum(count_over_time({app="x"} | json [60s])))", "60:4 120:3"},
          {R"(sum by (pod) (count_over_time({app="y"} | line_format "{{ div 1 0 }}" [60s])))", "pod=c 60:1"},
      },
      60, 120, 60);
  EXPECT_EQ(evaluate_metric(R"(sum by (a) (count_over_time({app="x"} | json [60s])))", {{60, R"({"a":"1","b":2,"c")"}}, 60, 60, 60),
            "a=1 60:1");
}

}  // namespace
}  // namespace weir::logql
