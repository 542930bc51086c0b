#include "logql/aggregation_node.h"

#include "logql/metric_rows.h"

namespace weir::logql {
namespace {

using test::expect_rows;

TEST(AggregationNode, Aggregates) {
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

}  // namespace
}  // namespace weir::logql
