#include "logql/binary_node.h"

#include "logql/metric_rows.h"

namespace weir::logql {
namespace {

using test::expect_rows;

TEST(BinaryNode, Combines) {
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
          {"1 + 1", "0:2 60:2 120:2"},
      },
      0, 120, 60);
}

}  // namespace
}  // namespace weir::logql
