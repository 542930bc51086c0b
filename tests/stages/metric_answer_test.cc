#include "stages/metric_answer.h"

#include "spool/writer.h"
#include "support/collect.h"
#include "support/run_stage.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

class SpoolMetricTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spec.spools = {dir / "s.db"};
    auto writer = spool::Writer::open({.path = spec.spools.front(), .min_free = 0, .retain = 1'000'000 * base::kHour},
                                      context.clock, nullptr);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    spool::BlockBuilder builder;
    record::Batch batch;
    for (int i = 1; i <= 90; ++i) {
      record::Record record;
      record.timestamp = i * base::kSecond;
      record.labels = batch.hold(record::LabelSet::intern({{"app", i % 2 == 0 ? "x" : "y"}}));
      record.line = record::Text::bytes("line");
      builder.add(record);
    }
    ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, spool::Effort::fast).ok());
    if (!builder.empty()) builder.take();
    ASSERT_TRUE((*writer)->close().ok());
    spec.range = {};
  }

  test::Lines lines() {
    test::LinesOutlet out;
    auto source = make_spool_metric(spec, context.context);
    if (!source) return {source.error().message};
    const auto result = (*source)->run(out, *context.stop);
    EXPECT_TRUE(result.ok()) << result.error().message;
    test::expect_balance((*source)->counters());
    summary = (*source)->summary();
    return out.lines;
  }

  test::TestContext context;
  test::TempDir dir;
  QuerySpec spec;
  std::string summary;
};

TEST_F(SpoolMetricTest, SamplesAreRecords) {
  spec.logql = R"(count_over_time({app="x"}[30s]))";
  spec.step = 30 * base::kSecond;
  // From the step before the first record to the one behind the last.
  EXPECT_EQ(lines(), (test::Lines{R"({"timestamp":"1970-01-01T00:00:30Z","labels":{"app":"x"},"value":"15"})",
                                  R"({"timestamp":"1970-01-01T00:01:00Z","labels":{"app":"x"},"value":"15"})",
                                  R"({"timestamp":"1970-01-01T00:01:30Z","labels":{"app":"x"},"value":"15"})"}));
  EXPECT_EQ(summary, "");
}

TEST_F(SpoolMetricTest, TheStepIsLokisWhereNoneIsGiven) {
  spec.logql = R"(sum(count_over_time({app=~".+"}[1s])))";
  EXPECT_EQ(lines().size(), 90U);
}

TEST_F(SpoolMetricTest, SaysThatThereIsNoSample) {
  spec.logql = R"(sum(count_over_time({app="z"}[1s])))";
  EXPECT_EQ(lines(), test::Lines());
  EXPECT_NE(summary.find("no app 'z' here"), std::string::npos) << summary;
}

TEST_F(SpoolMetricTest, TheSelectorMayBeLeftOut) {
  spec.instant = true;
  spec.range.to = 60 * base::kSecond;
  const auto f = [&](const std::string& query) {
    spec.logql = query;
    return lines();
  };
  const auto all = f(R"(sum(count_over_time({app=~".+"}[30s])))");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(f("sum(count_over_time({}[30s]))"), all);
  EXPECT_EQ(f("sum(count_over_time([30s]))"), all);
  EXPECT_EQ(f(R"(sum(count_over_time(!= "no line has this" [30s])))"), all);
  EXPECT_EQ(f(R"(sum(count_over_time((|= "no line has this")[30s])))"), test::Lines());
}

TEST_F(SpoolMetricTest, AnInstantIsTheEndOfTheRange) {
  spec.instant = true;
  spec.range.to = 60 * base::kSecond;
  spec.logql = R"(count_over_time({app="x"}[30s]))";
  EXPECT_EQ(lines(), (test::Lines{R"({"timestamp":"1970-01-01T00:01:00Z","labels":{"app":"x"},"value":"15"})"}));
  spec.logql = "1 + 1";
  EXPECT_EQ(lines(), (test::Lines{R"({"timestamp":"1970-01-01T00:01:00Z","value":"2"})"}));
}

TEST_F(SpoolMetricTest, SaysThatTheTimeIsWrong) {
  spec.logql = R"(sum(count_over_time({app="x"}[1s])))";
  spec.range = {1000 * base::kSecond, 1010 * base::kSecond};
  EXPECT_EQ(lines(), test::Lines());
  EXPECT_NE(summary.find("the newest record is "), std::string::npos) << summary;
}

TEST_F(SpoolMetricTest, RefusesTooManyPoints) {
  spec.logql = R"(sum(count_over_time({app="x"}[1s])))";
  spec.step = base::kMillisecond;
  EXPECT_EQ(lines(), test::Lines{"cannot evaluate the query: it has more than 11000 points of time"});
}

}  // namespace
}  // namespace weir::stages
