#include "logql/metric_query.h"

#include "logql/metric_rows.h"

namespace weir::logql {
namespace {

using test::evaluate_metric;
using test::expect_rows;
using test::lines;

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
          {"topk(1, 5)", "ERROR unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator)"},
          {"stddev(5)", "ERROR unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator)"},
          {"1 + sum(5)",
           "ERROR parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible "
           "value. "
           "For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will"},
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
