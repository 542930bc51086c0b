#include "stages/rule_hits.h"

#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

TEST(RuleHits, AreReadFromTheTextFormat) {
  const HitsById hits = parse_rule_hits(
      "# HELP weir_filter_rule_records_total Records that a rule acted on.\n"
      "# TYPE weir_filter_rule_records_total counter\n"
      "weir_filter_rule_records_total{rule=\"health\"} 12\n"
      "weir_filter_rule_records_total{pipeline=\"1\",rule=\"rule-2e7a0d2e\"} 1.5e+06 1700000000000\n"
      "weir_filter_rule_records_total{pipeline=\"2\",rule=\"rule-2e7a0d2e\"} 5\n"
      "weir_filter_rule_bytes_total{rule=\"health\"} 345\n"
      "weir_filter_rule_records_total_other{rule=\"health\"} 9\n"
      "weir_filter_rule_records_total{norule=\"health\"} 9\n"
      "weir_filter_rule_records_total{rule=\"health\" 9\n"
      "weir_filter_rule_records_total{rule=\"nan\"} NaN\n"
      "weir_push_output_records_total 7");
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits.at("health").records, 12U);
  EXPECT_EQ(hits.at("health").bytes, 345U);
  EXPECT_EQ(hits.at("rule-2e7a0d2e").records, 1'500'005U);
}

TEST(RuleHits, OfAFile) {
  test::TempDir dir;
  test::TestContext test;
  dir.write("metrics.prom", "weir_filter_rule_records_total{rule=\"a\"} 3\n");
  const auto hits = read_rule_hits(dir / "metrics.prom", test.context);
  ASSERT_TRUE(hits);
  EXPECT_EQ(hits->at("a").records, 3U);
}

TEST(RuleHits, NobodyAnswers) {
  test::TestContext test;
  const auto hits = read_rule_hits("127.0.0.1:1", test.context);
  ASSERT_FALSE(hits);
  EXPECT_EQ(hits.error().code, base::Code::unreachable) << hits.error().message;
}

}  // namespace
}  // namespace weir::stages
