#include "stages/rules_answer.h"

#include "spool/writer.h"
#include "support/collect.h"
#include "support/run_stage.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using base::kMinute;
using base::kSecond;

class RulesAnswerTest : public ::testing::Test {
 protected:
  // A line of each of these apps each second of its minutes.
  struct App {
    std::string name;
    int from, to;
    std::string tenant = {};
  };
  void store(const std::string& name, const std::vector<App>& apps) {
    const std::string path = dir / name;
    auto writer = spool::Writer::open({.path = path, .min_free = 0, .retain = 1'000'000 * base::kHour}, context.clock, nullptr);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    spool::BlockBuilder builder;
    record::Batch batch;
    for (const App& app : apps) {
      for (int second = app.from * 60; second <= app.to * 60; ++second) {
        record::Record record;
        record.timestamp = second * kSecond;
        record.labels = batch.hold(record::LabelSet::intern({{"app", app.name}}));
        record.line = record::Text::bytes("line");
        record.tenant = app.tenant;
        builder.add(record);
      }
    }
    ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, spool::Effort::fast).ok());
    if (!builder.empty()) builder.take();
    ASSERT_TRUE((*writer)->close().ok());
    question.spools.push_back(path);
  }

  void rules(std::string_view text) {
    dir.write("r.yml", fmt::format("groups: [{{name: g, rules: [{}]}}]", text));
    question.files = {dir / "r.yml"};
    question.json = true;
  }

  std::vector<std::string> run() {
    test::LinesOutlet out;
    error.clear();
    auto source = make_rules_answer(question, verdict, context.context);
    if (!source) return {source.error().message};
    const auto result = (*source)->run(out, *context.stop);
    if (!result) error = result.error().message;
    test::expect_balance((*source)->counters());
    summary = (*source)->summary();
    return out.lines;
  }

  test::TestContext context;
  test::TempDir dir;
  RulesQuestion question;
  std::shared_ptr<RulesVerdict> verdict = std::make_shared<RulesVerdict>();
  std::string summary, error;
};

constexpr std::string_view kLoud = "{alert: Loud, expr: 'sum by (app) (count_over_time({app=~\".+\"}[1m])) > 50', for: 5m}";

TEST_F(RulesAnswerTest, TheNewestRecordSaysWhen) {
  store("s.db", {{"x", 0, 20}, {"y", 18, 20}});
  rules(kLoud);
  const auto lines = run();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], ::testing::HasSubstr(R"(\"state\":\"firing\")"));
  EXPECT_THAT(lines[0], ::testing::HasSubstr(R"(\"active_at\":\"1970-01-01T00:01:00Z\",\"fired_at\":\"1970-01-01T00:06:00Z\")"));
  EXPECT_THAT(lines[1], ::testing::HasSubstr(R"(\"state\":\"pending\")"));
  EXPECT_TRUE(verdict->anything);
  EXPECT_EQ(summary, "1970-01-01T00:20:00Z: 1 firing, 1 pending, 0 inactive");
}

TEST_F(RulesAnswerTest, AnotherTimeAndALaterBeginning) {
  store("s.db", {{"x", 0, 20}});
  rules(kLoud);
  question.at = 30 * kMinute;
  EXPECT_THAT(run()[0], ::testing::HasSubstr(R"(\"state\":\"inactive\")"));
  EXPECT_FALSE(verdict->anything);
  question.at = 10 * kMinute;
  question.range.from = 7 * kMinute;
  EXPECT_THAT(run()[0], ::testing::HasSubstr(R"(\"active_at\":\"1970-01-01T00:07:00Z\")"));
}

TEST_F(RulesAnswerTest, SeveralSpoolsAreReadAsOne) {
  store("a.db", {{"x", 0, 9}});
  store("b.db", {{"x", 9, 20}, {"z", 0, 20}});
  rules(kLoud);
  const auto lines = run();
  ASSERT_EQ(lines.size(), 2U);
  for (const std::string& line : lines) EXPECT_THAT(line, ::testing::HasSubstr(R"(\"fired_at\":\"1970-01-01T00:06:00Z\")"));
}

TEST_F(RulesAnswerTest, RecordingRulesAlone) {
  store("s.db", {{"x", 0, 2}});
  rules("{record: a, expr: 'sum(count_over_time({app=\"x\"}[1m]))'}");
  EXPECT_THAT(run()[0], ::testing::HasSubstr(R"(\"value\":\"60\")"));
  EXPECT_TRUE(verdict->anything);
  rules("{record: a, expr: 'sum(count_over_time({app=\"y\"}[1m]))'}");
  EXPECT_EQ(run().size(), 1U);
  EXPECT_FALSE(verdict->anything);
}

TEST_F(RulesAnswerTest, ASelectorThatTakesNoStreamIsNamed) {
  store("s.db", {{"checkout", 0, 5}});
  rules(R"({alert: A, expr: 'sum(count_over_time({app="chekout"}[1m])) > 0'}, )"
        R"({alert: B, expr: 'sum(count_over_time({app="checkout"}[1m])) > 1000'}, )"
        R"({record: r, expr: 'sum(count_over_time({ap="checkout"}[1m]))'})");
  const auto lines = run();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], ::testing::HasSubstr("no app 'chekout' here; did you mean 'checkout'?"));
  EXPECT_THAT(lines[1], ::testing::Not(::testing::HasSubstr("hint")));
  EXPECT_THAT(lines[2], ::testing::HasSubstr("no label 'ap' here; did you mean 'app'?"));
}

TEST_F(RulesAnswerTest, OneTenantLearnsNothingOfAnother) {
  store("s.db", {{"checkout", 0, 5, "red"}, {"cart", 0, 5, "blue"}});
  rules(R"({alert: A, expr: 'sum(count_over_time({app="checkout"}[1m])) > 1000'})");
  question.tenant = "red";
  EXPECT_THAT(run()[0], ::testing::Not(::testing::HasSubstr("hint")));
  question.tenant = "blue";
  EXPECT_THAT(run()[0], ::testing::HasSubstr("no app 'checkout' here"));
  EXPECT_THAT(run()[0], ::testing::HasSubstr("cart"));
  question.tenant = "green";
  run();
  EXPECT_EQ(context.diagnostics.said(), std::vector<std::string>{"there are no records of the tenant green"});
}

TEST_F(RulesAnswerTest, ARuleThatFailsIsInTheAnswerAndAnError) {
  store("s.db", {{"x", 0, 2}});
  rules(std::string(kLoud) + ", {alert: Broken, expr: 'sum_over_time({app=\"x\"} | label_format n=app | unwrap n [1m]) > 0'}");
  const auto lines = run();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[1], ::testing::HasSubstr(R"(\"state\":\"error\",\"error\":\"pipeline error: 'SampleExtractionErr')"));
  EXPECT_EQ(error, "cannot evaluate 1 of 2 rules");
}

TEST_F(RulesAnswerTest, MistakesOfTheFilesComeFirst) {
  question.files = {dir / "none.yml"};
  question.spools = {dir / "none.db"};
  EXPECT_EQ(run()[0].find("cannot read"), 0U) << run()[0];
  rules("{alert: A}");
  EXPECT_EQ(run()[0], (dir / "r.yml") + ":1:28: the rule has no 'expr'");
  rules(kLoud);
  EXPECT_THAT(run()[0], ::testing::HasSubstr("none.db"));
}

}  // namespace
}  // namespace weir::stages
