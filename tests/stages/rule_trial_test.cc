#include "stages/rule_trial.h"

#include "rules/parser.h"
#include "support/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using rules::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

rules::RuleSet set_of(std::string_view text) {
  auto parsed = rules::parse(text, "rules");
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  auto set = rules::RuleSet::compile(*std::move(parsed));
  EXPECT_TRUE(set);
  return *std::move(set);
}

class RuleTrialTest : public testing::Test {
 protected:
  TrialReport run(std::string_view text, std::optional<std::string_view> before, const std::vector<std::string>& lines,
                  const base::TimeRange& range = {}) {
    std::optional<rules::RuleSet> old;
    if (before) old.emplace(set_of(*before));
    RuleTrial trial(set_of(text), std::move(old), range, test_.context);
    record::JsonlReader reader(test_.clock);
    record::Batch batch;
    for (const std::string& line : lines) {
      EXPECT_TRUE(
          reader.parse(batch.copy(fmt::format(R"({{"timestamp":"{}","line":"{}","labels":{{"app":"a"}}}})", time_, line)), batch));
    }
    trial.take(batch);
    return trial.report();
  }
  std::string time_ = "2026-11-29T12:00:00Z";
  test::TestContext test_;
};

TEST_F(RuleTrialTest, CountsByRuleAndByVerdict) {
  const TrialReport report =
      run("name h: drop |= \"healthz\"\nhold |= \"debug\"\n", std::nullopt, {"healthz 1", "debug", "plain", "healthz 2"});
  EXPECT_EQ(report.records, 4U);
  EXPECT_EQ(report.bytes, 28U);
  EXPECT_EQ(report.verdicts[static_cast<std::size_t>(Verdict::pass)].records, 1U);
  EXPECT_EQ(report.verdicts[static_cast<std::size_t>(Verdict::drop)].records, 2U);
  EXPECT_EQ(report.verdicts[static_cast<std::size_t>(Verdict::hold)].records, 1U);
  ASSERT_EQ(report.rules.size(), 2U);
  EXPECT_EQ(report.rules[0].id, "h");
  EXPECT_EQ(report.rules[0].count.records, 2U);
  EXPECT_EQ(report.rules[0].count.bytes, 18U);
  EXPECT_THAT(report.rules[0].count.samples, ElementsAre("healthz 1", "healthz 2"));
  EXPECT_EQ(report.rules[1].count.records, 1U);
  EXPECT_FALSE(report.compared);
}

TEST_F(RuleTrialTest, KeepsAFewSamplesAndCutsThem) {
  const TrialReport report = run("drop {}\n", std::nullopt, {std::string(500, 'x'), "b", "c", "d"});
  ASSERT_EQ(report.rules[0].count.samples.size(), 3U);
  EXPECT_LT(report.rules[0].count.samples[0].size(), 200U);
  EXPECT_THAT(report.rules[0].count.samples[0], testing::EndsWith(" …"));
}

TEST_F(RuleTrialTest, ComparesWithOldRulesOnTheRecordAsItCame) {
  // What the new rules redact, the old ones still see.
  const TrialReport report = run("redact `secret` with \"x\"\nhold |= \"b\"\n", "drop |= \"secret\"\n", {"a secret", "b", "c"});
  EXPECT_TRUE(report.compared);
  ASSERT_EQ(report.changes.size(), 2U);
  EXPECT_EQ(report.changes.at({Verdict::drop, Verdict::pass}).records, 1U);
  EXPECT_EQ(report.changes.at({Verdict::pass, Verdict::hold}).records, 1U);
  EXPECT_THAT(report.to_text(), HasSubstr("drop -> pass"));
}

TEST_F(RuleTrialTest, ComparesWhatIsRedacted) {
  const TrialReport report = run("redact `4111` with \"x\"\n", "redact `\\d+` with \"x\"\n", {"card 4111", "card 5500", "none"});
  EXPECT_TRUE(report.changes.empty());
  EXPECT_EQ(report.other_text.records, 1U);
  EXPECT_THAT(report.other_text.samples, ElementsAre("card 5500"));
  EXPECT_THAT(report.to_text(), HasSubstr("another text"));
  EXPECT_THAT(report.to_text(), Not(HasSubstr("the old rules do the same")));
  ASSERT_EQ(report.rules.size(), 1U);
  EXPECT_THAT(report.rules[0].count.samples, ElementsAre("card x")) << "as the rule leaves it";
}

TEST_F(RuleTrialTest, SaysWhichNameMayBeWrong) {
  const TrialReport report = run("drop {apq=\"a\"}\nlimit 5/s by (ap)\ndrop |= \"nothing has this\"\n", std::nullopt, {"a"});
  EXPECT_THAT(report.rules[0].hint, HasSubstr("did you mean 'app'"));
  EXPECT_THAT(report.rules[1].hint, HasSubstr("no record has 'ap'"));
  EXPECT_EQ(report.rules[2].hint, "");
}

TEST_F(RuleTrialTest, LeavesOutWhatIsNotInTheTime) {
  EXPECT_EQ(run("drop {}\n", std::nullopt, {"a"}, {.from = 0, .to = 1}).records, 0U);
}

TEST_F(RuleTrialTest, TextAndJson) {
  const TrialReport report = run("drop |= \"a\"\n", "drop |= \"a\"\n", {"a\\u001b[31m", "b"});
  EXPECT_THAT(report.to_text(), HasSubstr("2 records"));
  EXPECT_THAT(report.to_text(), HasSubstr("50.0 %"));
  EXPECT_THAT(report.to_text(), HasSubstr("the old rules do the same with every record"));
  EXPECT_THAT(report.to_text(), Not(HasSubstr("\x1b"))) << "a log line does not control the terminal";
  EXPECT_THAT(report.to_json(), HasSubstr(R"("verdicts":{"pass":{"records":1,"bytes":1,"samples":["b"]},"drop":{"records":1)"));
  EXPECT_THAT(report.to_json(), HasSubstr(R"("changes":[],"other_text":{"records":0)"));
}

}  // namespace
}  // namespace weir::stages
