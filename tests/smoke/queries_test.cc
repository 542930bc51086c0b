#include "smoke/queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::smoke {
namespace {

TEST(Queries, ByMetadata) {
  const Plan plan({.run = "0123456789ab"});
  const Queries queries(plan, R"({job="weir-smoke"})");
  EXPECT_EQ(queries.list(), R"({job="weir-smoke"} | weir_smoke_run="0123456789ab")");
  EXPECT_EQ(queries.glance(), R"({job="weir-smoke"} | weir_smoke_run="0123456789ab" | line_format "{{.weir_smoke_record}}")");
  EXPECT_EQ(queries.count(90 * base::kSecond), R"(sum(count_over_time({job="weir-smoke"} | weir_smoke_run="0123456789ab" [90s])))");
  EXPECT_EQ(queries.stored_twice(base::kSecond + 1),
            "topk(10, sum by (weir_smoke_record) (count_over_time({job=\"weir-smoke\"} | "
            "weir_smoke_run=\"0123456789ab\" [2s])) > 1)");
}

TEST(Queries, ByLine) {
  const Plan plan({.run = "0123456789ab", .form = Form::line});
  const Queries queries(plan, R"({app="x"} |= "y")");
  EXPECT_EQ(queries.list(), R"({app="x"} |= "y" |= `weir-smoke run=0123456789ab record=`)");
  EXPECT_EQ(queries.glance(), queries.list()) << "the number stands in the line";
  EXPECT_EQ(queries.stored_twice(base::kSecond), "");
}

TEST(Queries, WiderSelectors) {
  EXPECT_THAT(wider_selectors("smoke_stream"), testing::ElementsAre(R"({smoke_stream=~".+"})", R"({service_name=~".+"})"));
  EXPECT_THAT(wider_selectors(""), testing::ElementsAre(R"({service_name=~".+"})"));
}

}  // namespace
}  // namespace weir::smoke
