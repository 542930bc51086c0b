#include "logql/metric_advice.h"

#include "logql/advice_rows.h"

namespace weir::logql {
namespace {

using test::advice;
using test::Mistake;

// Of each mistake what is said, and the query that this leads to: it parses.
TEST(MetricAdvice, LeadsToAQueryThatParses) {
  const Mistake mistakes[] = {
      {R"(rate({app="x"}))", R"(15: the range is missing: rate({app="x"} [5m]))", R"(rate({app="x"} [5m]))"},
      {R"(sum(rate({app="x"} | json)))", R"(26: the range is missing: rate({app="x"} | json [5m]))",
       R"(sum(rate({app="x"} | json [5m])))"},
      {R"(sum_over_time({app="x"} | unwrap y))", R"(35: the range is missing: sum_over_time({app="x"} | unwrap y [5m]))",
       R"(sum_over_time({app="x"} | unwrap y [5m]))"},
      {"rate()", R"(6: rate takes a selector with a range: rate({app="NAME"} [5m]))", R"(rate({app="NAME"} [5m]))"},
      {R"(rate({app="x"}[5m))", "15: the range is not closed: a ] is missing", R"(rate({app="x"}[5m]))"},
      {R"(rate({app="x"}[5m])", "19: a parenthesis is not closed: a ) is missing", R"(rate({app="x"}[5m]))"},
      {R"(sum(rate({app="x"}[5m]))", "24: a parenthesis is not closed: a ) is missing", R"(sum(rate({app="x"}[5m])))"},
      {R"(rate({app="x"}[]))", "16: the length of time is missing: [5m]", R"(rate({app="x"}[5m]))"},
      {R"(rate({app="x"}[5]))", "16: a duration has a unit: [5s], [5m] or [5h]", R"(rate({app="x"}[5m]))"},
      {R"(rate({app="x"}[5 m]))", "16: durations have no blanks: [5m]", R"(rate({app="x"}[5m]))"},
      {R"(rate({app="x"}[5m 30s]))", "16: durations have no blanks: [5m30s]", R"(rate({app="x"}[5m30s]))"},
      {R"(rate({app="x"}[5minutes]))", "16: durations are written 30s, 5m, 1h30m, 7d", R"(rate({app="x"}[5m]))"},
      {R"(rate({app="x"}[1.5h]))", "16: durations are written 30s, 5m, 1h30m, 7d", R"(rate({app="x"}[1h30m]))"},
      {R"(rate({app="x"}[5m:1m]))", "16: LogQL has no subqueries; a range is one duration: [5m]", R"(rate({app="x"}[5m]))"},
      {R"(sum({app="x"}))", R"(5: sum takes numbers, not lines: sum(count_over_time({app="x"} [5m])))",
       R"(sum(count_over_time({app="x"} [5m])))"},
      {R"(count({app="x"} |= "y"))", R"(7: count takes numbers, not lines: count(count_over_time({app="x"} |= "y" [5m])))",
       R"(count(count_over_time({app="x"} |= "y" [5m])))"},
      {R"(count({app="x"}[5m]))", R"(1: to count lines: count_over_time({app="x"} [5m]))", R"(count_over_time({app="x"} [5m]))"},
      {R"(sum by (pod) ({app="x"} | json [5m]))",
       R"(1: sum takes numbers, not lines: sum by (pod) (count_over_time({app="x"} | json [5m])))",
       R"(sum by (pod) (count_over_time({app="x"} | json [5m])))"},
      {R"(group by (pod)(rate({app="x"}[5m])))", "1: LogQL has no group; use count, or sum by",
       R"(count by (pod)(rate({app="x"}[5m])))"},
      {R"(sum by app (rate({app="x"}[5m])))", "5: labels stand in parentheses: by (app)", R"(sum by (app) (rate({app="x"}[5m])))"},
      {R"(sum(rate({app="x"}[5m])) by app)", "26: labels stand in parentheses: by (app)", R"(sum(rate({app="x"}[5m])) by (app))"},
      {R"(sum by ("app") (rate({app="x"}[5m])))", "9: the name of a label has no quotes: by (app)",
       R"(sum by (app) (rate({app="x"}[5m])))"},
      {R"(sum by (app) (rate({app="x"}[5m])) by (pod))", "36: an aggregation has one by or without",
       R"(sum by (app, pod) (rate({app="x"}[5m])))"},
      {R"(rate({app="x"}[5m]) by (app))", "1: put an aggregation around it: sum by (LABEL) (rate(…))",
       R"(sum by (app) (rate({app="x"}[5m])))"},
      {R"(sort by (app) (rate({app="x"}[5m])))", "1: sort takes no by; group within it: sort(sum by (LABEL) (…))",
       R"(sort(sum by (app) (rate({app="x"}[5m]))))"},
      {R"(topk(rate({app="x"}[5m])))", "1: how many comes first: topk(10, …)", R"(topk(10, rate({app="x"}[5m])))"},
      {R"(topk(0, rate({app="x"}[5m])))", "1: topk takes a whole number of at least 1: topk(10, …)",
       R"(topk(10, rate({app="x"}[5m])))"},
      {R"(topk(rate({app="x"}[5m]), 5))", "25: the number comes first: topk(5, …)", R"(topk(5, rate({app="x"}[5m])))"},
      {R"(topk("5", rate({app="x"}[5m])))", "6: a number has no quotes: topk(5, …)", R"(topk(5, rate({app="x"}[5m])))"},
      {R"(sum(1, rate({app="x"}[5m])))", "1: sum takes no number in front", R"(sum(rate({app="x"}[5m])))"},
      {R"(quantile_over_time({app="x"} | unwrap y [5m]))",
       R"(1: the quantile comes first: quantile_over_time(0.99, {app="NAME"} | logfmt | unwrap FIELD [5m]))",
       R"(quantile_over_time(0.99, {app="x"} | unwrap y [5m]))"},
      {R"(sum_over_time({app="x"}[5m]))",
       R"(1: sum_over_time needs a number of each line: sum_over_time({app="NAME"} | logfmt | unwrap FIELD [5m]); lines are )"
       "counted by count_over_time and rate",
       R"(sum_over_time({app="x"} | logfmt | unwrap y [5m]))"},
      {R"(count_over_time({app="x"} | unwrap y [5m]))",
       "1: count_over_time looks at lines; numbers that unwrap reads are added by sum_over_time",
       R"(sum_over_time({app="x"} | unwrap y [5m]))"},
      {R"(increase({app="x"}[5m]))",
       "1: LogQL has no increase; use count_over_time for lines, or sum_over_time with unwrap for numbers",
       R"(count_over_time({app="x"}[5m]))"},
      {R"(histogram_quantile(0.9, rate({app="x"}[5m])))", "1: LogQL has no histogram_quantile; use quantile_over_time with unwrap",
       R"(quantile_over_time(0.9, {app="x"} | unwrap y [5m]))"},
      {R"(rates({app="x"}[5m]))", "1: there is no function rates; did you mean rate?", R"(rate({app="x"}[5m]))"},
      {R"(count_overtime({app="x"}[5m]))", "1: there is no function count_overtime; did you mean count_over_time?",
       R"(count_over_time({app="x"}[5m]))"},
      {R"(rate(requests_total[5m]))", R"(6: logs have no metric names; select streams by labels: {app="requests_total"})",
       R"(rate({app="requests_total"}[5m]))"},
      {R"(sum(requests{app="x"}))", R"(5: logs have no metric names; select streams by labels alone: {app="x"})",
       R"(sum(rate({app="x"}[5m])))"},
      {R"(rate({app="x"}[5m]) offset 1h)", "21: offset follows the range: [5m] offset 1h", R"(rate({app="x"}[5m] offset 1h))"},
      {R"(rate({app="x"}[5m] offset 5))", "27: an offset is a duration: offset 5m", R"(rate({app="x"}[5m] offset 5m))"},
      {R"(rate({app="x"}[5m] @ 5))", "20: LogQL has no @; ask at another time, or use offset: [5m] offset 1h",
       R"(rate({app="x"}[5m] offset 1h))"},
      {R"(rate({app="x"}[5m]) | json)", R"(21: stages stand in front of the range: rate({app="NAME"} |= "text" [5m]))",
       R"(rate({app="x"} | json [5m]))"},
      {R"(({app="x"}) | json)", R"(13: stages stand within the parentheses: ({app="NAME"} | json))", R"(({app="x"} | json))"},
      {R"(rate({app="x"}[5m]) = 1)", "21: numbers are compared with ==", R"(rate({app="x"}[5m]) == 1)"},
      {R"(rate({app="x"}[5m]) > "1")", "23: a number has no quotes: 1", R"(rate({app="x"}[5m]) > 1)"},
      {R"(-rate({app="x"}[5m]))", "1: only a number has a sign: -1 * …", R"(-1 * rate({app="x"}[5m]))"},
      {R"({app="x"} > 5)", R"(11: operators take numbers, not lines: count_over_time({app="NAME"} [5m]) > …)",
       R"(count_over_time({app="x"} [5m]) > 5)"},
      {R"(rate({app="x"}[5m]) and 1)", "21: and, or and unless stand between vectors; a number becomes one with vector(1)",
       R"(rate({app="x"}[5m]) and vector(1))"},
      {R"(rate({app="x"}[5m]) + on app rate({app="x"}[5m]))", "26: labels stand in parentheses: on (app)",
       R"(rate({app="x"}[5m]) + on (app) rate({app="x"}[5m]))"},
      {R"(rate({app="x"}[5m]) + group_left rate({app="x"}[5m]))", "23: group_left follows on or ignoring: on (LABEL) group_left",
       R"(rate({app="x"}[5m]) + on (app) group_left rate({app="x"}[5m]))"},
      {R"(rate({app="x"}[5m]) && rate({app="x"}[5m]))", "21: LogQL writes and", R"(rate({app="x"}[5m]) and rate({app="x"}[5m]))"},
      {R"({app="x"} [5m])", R"(11: a range stands in a function: count_over_time({app="x"} [5m]))",
       R"(count_over_time({app="x"} [5m]))"},
      {R"({app="x"} | unwrap y)", R"(13: unwrap belongs in a range: sum_over_time({app="NAME"} | logfmt | unwrap y [5m]))",
       R"(sum_over_time({app="x"} | logfmt | unwrap y [5m]))"},
      {R"(sum_over_time({app="x"} | unwrap y | json [5m]))",
       "38: behind unwrap stand only filters on labels; put other stages in front of it",
       R"(sum_over_time({app="x"} | json | unwrap y [5m]))"},
      {R"(sum_over_time({app="x"} | unwrap duration y [5m]))", "34: unwrap reads numbers, durations and sizes: unwrap duration(y)",
       R"(sum_over_time({app="x"} | unwrap duration(y) [5m]))"},
      {R"(sum_over_time({app="x"} | unwrap seconds(y) [5m]))", "34: unwrap reads numbers, durations and sizes: unwrap duration(y)",
       R"(sum_over_time({app="x"} | unwrap duration(y) [5m]))"},
      {R"(sum_over_time({app="x"} | unwrap "y" [5m]))", "34: the name of a field has no quotes: unwrap y",
       R"(sum_over_time({app="x"} | unwrap y [5m]))"},
      {R"({app="x"} | count)", R"(13: to count lines, put a function around the query: sum(count_over_time({app="NAME"} [5m])))",
       R"(sum(count_over_time({app="x"} [5m])))"},
      {R"({app="x"} | rate)", R"(13: rate stands around a query, not behind it: rate({app="NAME"} [5m]))",
       R"(rate({app="x"} [5m]))"},
      {R"({app="x"} | limit 5)", "13: there is no stage limit; how many lines come is said outside of the query: --limit 10",
       R"({app="x"})"},
      {R"(label_replace(rate({app="x"}[5m]), a, "b", "c", ".*"))", R"(36: put the text in double quotes: "a")",
       R"(label_replace(rate({app="x"}[5m]), "a", "b", "c", ".*"))"},
  };
  for (const Mistake& one : mistakes) {
    EXPECT_EQ(advice(one.query, false), one.expected) << one.query;
    EXPECT_EQ(advice(one.meant, false), "valid") << one.meant;
  }
}

TEST(MetricAdvice, KeepsSilent) {
  for (const std::string_view query : {"", "1 +", "1 2", "(", "vector()", R"(rate({app="x"}[5m]) rate({app="x"}[5m]))", "5m"}) {
    EXPECT_EQ(advice(query, false), "") << query;
  }
}

}  // namespace
}  // namespace weir::logql
