#include "ruler/survey.h"

#include "ruler/feed.h"
#include "ruler/report.h"

#include <gtest/gtest.h>

namespace weir::ruler {
namespace {

using base::kMinute;
using test::feed;
using test::Line;

std::vector<Line> one_a_minute(int from, int to) {
  std::vector<Line> lines;
  for (int minute = from; minute < to; ++minute) lines.push_back({minute * 60.0 + 1, "level=error", {{"app", "x"}, {"pod", "p"}}});
  return lines;
}

constexpr std::string_view kRules = R"(
groups:
  - name: first
    rules:
      - alert: Errors
        expr: sum by (app) (count_over_time({app="x"}[1m])) > 0
        for: 5m
        labels: {severity: page}
        annotations: {summary: "errors of {{ $labels.app }}"}
      - record: x:count
        expr: sum(count_over_time({app="x"}[2m]))
  - name: second
    interval: 2m
    rules:
      - alert: Never
        expr: count_over_time({app="y"}[1m]) > 0
)";

std::vector<RuleReport> survey(const RuleFile& file, base::Duration at, const std::vector<Line>& lines, base::Timestamp from = 0) {
  auto survey = Survey::compile({&file, 1}, {.at = at, .from = from});
  EXPECT_TRUE(survey.ok()) << survey.error().message;
  feed(*survey, lines);
  return survey->finish();
}

TEST(Survey, SaysSinceWhen) {
  const auto file = read_rules(kRules, "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  const auto lines = one_a_minute(0, 30);
  const auto early = survey(*file, 4 * kMinute, lines);
  ASSERT_EQ(early.size(), 3U);
  EXPECT_EQ(early[0].state(), AlertState::pending);
  EXPECT_EQ(early[0].alerts[0].alert.active_at, kMinute);
  const auto late = survey(*file, 20 * kMinute, lines);
  ASSERT_EQ(late[0].alerts.size(), 1U);
  EXPECT_EQ(late[0].state(), AlertState::firing);
  EXPECT_EQ(late[0].alerts[0].alert.fired_at, 6 * kMinute);
  EXPECT_EQ(late[0].alerts[0].annotations, (Pairs{{"summary", "errors of x"}}));
  ASSERT_EQ(late[1].samples.size(), 1U);
  EXPECT_EQ(late[1].samples[0].value, 2);
  EXPECT_EQ(late[2].state(), AlertState::inactive);
  EXPECT_EQ(late[2].interval, 2 * kMinute);
  const auto after = survey(*file, 40 * kMinute, lines);
  EXPECT_EQ(after[0].state(), AlertState::inactive);
  ASSERT_TRUE(after[0].last);
  EXPECT_EQ(after[0].last->resolved_at, 31 * kMinute);
}

TEST(Survey, TheTimeAskedForIsAnEvaluation) {
  const auto file = read_rules(kRules, "f");
  ASSERT_TRUE(file.ok());
  const base::Timestamp at = 10 * kMinute + 7 * base::kSecond;
  const auto reports = survey(*file, at, one_a_minute(0, 30));
  EXPECT_EQ(reports[0].since, 7 * base::kSecond);
  EXPECT_EQ(reports[0].alerts[0].alert.evaluated, at);
  EXPECT_EQ(reports[1].since, at) << "a recording rule has no memory";
}

TEST(Survey, BeginsLaterWhereThereWouldBeTooManyEvaluations) {
  const auto file = read_rules(kRules, "f");
  ASSERT_TRUE(file.ok());
  const base::Timestamp at = 20'000 * kMinute;
  auto survey = Survey::compile({&*file, 1}, {.at = at, .from = 0});
  ASSERT_TRUE(survey.ok());
  EXPECT_EQ(survey->finish()[0].since, at - 10'999 * kMinute);
}

TEST(Survey, ReadsWhatAnyRuleNeeds) {
  const auto file = read_rules(kRules, "f");
  ASSERT_TRUE(file.ok());
  auto survey = Survey::compile({&*file, 1}, {.at = 10 * kMinute, .from = 5 * kMinute});
  ASSERT_TRUE(survey.ok());
  EXPECT_EQ(survey->reads().from, 4 * kMinute + 1);  // the first group's first window ends at minute 5
  EXPECT_EQ(survey->reads().to, 10 * kMinute + 1);
  EXPECT_TRUE(survey->selects(*record::LabelSet::intern({{"app", "y"}})));
  EXPECT_FALSE(survey->selects(*record::LabelSet::intern({{"app", "z"}})));
}

TEST(Report, IsReadable) {
  const auto file = read_rules(kRules, "f.yml");
  ASSERT_TRUE(file.ok());
  const auto reports = survey(*file, 20 * kMinute, one_a_minute(0, 30));
  std::string text;
  for (const std::string& line : to_lines(reports)) text += line + "\n";
  EXPECT_EQ(text, R"(first, every 1m
  firing   Errors since 1970-01-01T00:06:00Z, active since 1970-01-01T00:01:00Z
    {alertname="Errors", app="x", severity="page"} 1
      summary: errors of x
  recorded x:count
    x:count{} 2

second, every 2m
  inactive Never
)");
  EXPECT_EQ(summary_of(reports), "1 firing, 0 pending, 1 inactive; 1 series recorded");
}

// A row of JSON without the keys that all rows of the first group share.
std::string row(const std::string& line) {
  constexpr std::string_view kShared = R"({"file":"f.yml","group":"first",)";
  return line.starts_with(kShared) ? line.substr(kShared.size()) : line;
}

TEST(Report, IsJson) {
  const auto file = read_rules(kRules, "f.yml");
  ASSERT_TRUE(file.ok());
  const auto quiet = to_json_lines(survey(*file, 40 * kMinute, one_a_minute(0, 30)));
  ASSERT_EQ(quiet.size(), 3U);
  EXPECT_EQ(row(quiet[0]),
            R"("rule":"Errors","type":"alert","state":"inactive","labels":{"alertname":"Errors","app":"x","severity":"page"},)"
            R"("fired_at":"1970-01-01T00:06:00Z","resolved_at":"1970-01-01T00:31:00Z"})");
  EXPECT_EQ(row(quiet[1]), R"("rule":"x:count","type":"record","state":"ok"})");
  EXPECT_EQ(quiet[2], R"({"file":"f.yml","group":"second","rule":"Never","type":"alert","state":"inactive"})");
  const auto active = to_json_lines(survey(*file, 20 * kMinute, one_a_minute(0, 30)));
  EXPECT_EQ(row(active[0]),
            R"("rule":"Errors","type":"alert","state":"firing","labels":{"alertname":"Errors","app":"x","severity":"page"},)"
            R"("annotations":{"summary":"errors of x"},"value":"1","active_at":"1970-01-01T00:01:00Z",)"
            R"("fired_at":"1970-01-01T00:06:00Z"})");
  EXPECT_EQ(row(active[1]), R"("rule":"x:count","type":"record","state":"ok","labels":{"__name__":"x:count"},"value":"2"})");
}

TEST(Report, LinesOfAnnotationsAndControlCharactersAreShownApart) {
  const auto file =
      read_rules("groups: [{name: g, rules: [{alert: A, expr: 'vector(1)', annotations: {run: \"one\\ntwo\\e[2J\\n\"}}]}]", "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  const auto lines = to_lines(survey(*file, 0, {}));
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[3], "      run: one");
  EXPECT_EQ(lines[4], "        two\\x1b[2J");
}

}  // namespace
}  // namespace weir::ruler
