#include "logql/certain_series.h"

#include "logql/parser.h"
#include "metric_eval.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::logql {
namespace {

// What is certain after {a=1,b=1}, {a=1,b=2}, {a=2,b=1}, the first once more; "-" where nothing is.
std::string certain(const std::string& query) {
  const auto expr = parse(query);
  if (!expr) return expr.error().message;
  const auto series = CertainSeries::of(*expr);
  if (series == nullptr) return "-";
  const std::vector<std::vector<record::Label>> sets = {
      {{"a", "1"}, {"b", "1"}}, {{"a", "1"}, {"b", "2"}}, {{"a", "2"}, {"b", "1"}}, {{"a", "1"}, {"b", "1"}}};
  std::string counts;
  for (const auto& set : sets) counts += std::to_string(series->add(record::LabelSet::intern(set))) + ' ';
  return counts;
}

TEST(CertainSeries, AreThoseOfTheRangeOrOfItsGroups) {
  const std::string range = R"(rate({x="y"}[5m]))";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {range, "1 2 3 3 "},
      {"2 * " + range + " > bool 1", "1 2 3 3 "},
      {"sort_desc(" + range + ")", "1 2 3 3 "},
      {"sum by (a) (" + range + ")", "1 1 2 2 "},
      {"max without (a) (" + range + ") / 2", "1 2 2 2 "},
      {"count by (a) (avg by (b) (" + range + "))", "1 1 1 1 "},
      {"sum(" + range + ")", "1 1 1 1 "},
  };
  for (const auto& [query, counts] : cases) EXPECT_EQ(certain(query), counts) << query;
}

TEST(CertainSeries, AreNoneWhereSomethingMayLeaveThemOut) {
  const std::string range = R"(rate({x="y"}[5m]))";
  for (const std::string& query :
       {"topk(3, " + range + ")", range + " > 1", range + " / " + range, range + " or " + range,
        "sum by (a) (bottomk(3, " + range + "))", "label_replace(" + range + R"X(, "a", "$1", "b", "(.*)"))X",
        std::string(R"(absent_over_time({x="y"}[5m]))"), std::string("vector(1)"), std::string("1 + 1")})
    EXPECT_EQ(certain(query), "-") << query;
}

// A query with too many series is refused at the first record too many, not when its last point is closed.
TEST(CertainSeries, StopAQueryEarly) {
  for (const std::string query : {R"(count_over_time({app=~".+"}[60s]))", R"(sum by (app) (rate({app=~".+"}[60s])))"}) {
    for (const double step : {0, 60}) {
      auto compiled = MetricQuery::compile(query, {test::at(60), test::at(60), test::at(step)}, step == 0, {.series = 2});
      ASSERT_TRUE(compiled.ok()) << query;
      record::Batch batch;
      std::string added;
      for (const std::string app : {"x", "y", "x", "z"}) {
        record::Record record;
        record.timestamp = test::at(30);
        record.labels = batch.hold(record::LabelSet::intern({{"app", app}}));
        const auto ok = (*compiled)->add(record, batch);
        added += ok ? "ok " : ok.error().message.substr(0, 28);
      }
      EXPECT_EQ(added, "ok ok ok maximum number of series (2)") << query;
    }
  }
}

}  // namespace
}  // namespace weir::logql
