#include "logql/unwrap.h"

#include "logql/metric_eval.h"

namespace weir::logql {
namespace {

using test::evaluate_metric;

std::string sum(std::string_view unwrap, std::string_view line) {
  return evaluate_metric(fmt::format(R"(sum by (e) (sum_over_time({{app="x"}} | logfmt {} [9s])))", unwrap), {{1, line}}, 9, 9, 0);
}

TEST(Unwrap, ReadsNumbersDurationsAndSizes) {
  EXPECT_EQ(sum("| unwrap n", "n=1.5"), "9:1.5");
  EXPECT_EQ(sum("| unwrap n", "n=0x1p4"), "9:16");
  EXPECT_EQ(sum("| unwrap duration(n)", "n=1m1.5s"), "9:61.5");
  EXPECT_EQ(sum("| unwrap duration_seconds(n)", "n=250ms"), "9:0.25");
  EXPECT_EQ(sum("| unwrap bytes(n)", "n=1.5KiB"), "9:1536");
}

TEST(Unwrap, ALineWithoutTheLabelIsNoSample) {
  EXPECT_EQ(sum("| unwrap n", "m=1"), "");
  EXPECT_EQ(sum("| unwrap n", "n= m=1"), "");
}

TEST(Unwrap, WhatIsNoNumberFailsTheQueryUnlessItIsFiltered) {
  EXPECT_TRUE(sum("| unwrap n", "n=x").starts_with("ERROR pipeline error: 'SampleExtractionErr' for series: "));
  EXPECT_TRUE(sum("| unwrap duration(n)", "n=5").starts_with("ERROR pipeline error: 'SampleExtractionErr' for series: "));
  EXPECT_EQ(sum(R"(| unwrap n | __error__="")", "n=x"), "");
  EXPECT_EQ(sum(R"(| unwrap n | m="1")", "n=2 m=1"), "9:2");
  EXPECT_EQ(sum(R"(| unwrap n | m="2")", "n=2 m=1"), "");
}

}  // namespace
}  // namespace weir::logql
