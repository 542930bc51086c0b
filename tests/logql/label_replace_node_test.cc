#include "logql/label_replace_node.h"

#include "logql/metric_rows.h"

namespace weir::logql {
namespace {

using test::expect_rows;

TEST(LabelReplaceNode, Replaces) {
  expect_rows(
      {
          {R"q(label_replace(sum by (pod) (count_over_time({app="y"}[60s])), "kind", "<$1>", "pod", "(.)"))q",
           "kind=<c> pod=c 60:1"},
          {R"q(label_replace(sum by (pod) (count_over_time({app="y"}[60s])), "pod", "", "pod", "c"))q", "60:1"},
          {R"q(label_replace(sum by (pod) (count_over_time({app="y"}[60s])), "pod", "x", "pod", "d"))q", "pod=c 60:1"},
          {R"q(label_replace(sum by (pod) (count_over_time({app="y"}[60s])), "a", "${n}!", "pod", "(?P<n>.)"))q",
           "a=c! pod=c 60:1"},
          {R"q(label_replace(vector(1), "app", "shop", "", ""))q", "app=shop 0:1 60:1 120:1"},
      },
      0, 120, 60);
}

}  // namespace
}  // namespace weir::logql
