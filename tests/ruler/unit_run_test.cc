#include "ruler/unit_run.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::ruler {
namespace {

constexpr std::string_view kRules = R"(
groups:
  - name: g
    interval: 7m
    rules:
      - alert: Errors
        expr: sum by (app) (count_over_time({app=~".+"} |= "error" [5m])) > 2
        for: 2m
        labels: {severity: page}
        annotations:
          summary: "{{ $value }} errors of {{ $labels.app }}"
      - record: app:lines
        expr: sum by (app) (count_over_time({app=~".+"}[5m]))
)";

constexpr std::string_view kInput = R"(
tests:
  - interval: 1m
    input_streams:
      - stream: '{app="x"}'
        lines:
          - {line: an error, every: 30s, times: 20}
      - stream: '{app="y"}'
        lines: [fine, fine, an error]
)";

// The outcome of one test with these expectations: a line a difference.
std::string run(std::string_view expectations, std::string_view head = "") {
  const auto rules = read_rules(kRules, "rules.yml");
  if (!rules) return rules.error().message;
  const std::string text = std::string(head) + std::string(kInput) + std::string(expectations);
  const auto file = read_unit_file(text, "f");
  if (!file) return file.error().message + "\n" + file.error().hint;
  const auto outcomes = run_unit_tests(*file, {&*rules, 1});
  if (!outcomes) return outcomes.error().message + "; " + outcomes.error().hint;
  std::string out;
  for (const UnitOutcome& outcome : *outcomes) {
    for (const UnitFailure& failure : outcome.failures) {
      out += failure.subject + "\n";
      for (const std::string& line : failure.lines) out += "  " + line + "\n";
    }
  }
  return out;
}

std::string alert_at(std::string_view time, std::string_view expected) {
  return fmt::format("    alert_rule_test: [{{eval_time: {}, alertname: Errors, exp_alerts: [{}]}}]\n", time, expected);
}

// More than 2 lines from 1m on, and `for` is 2m.
TEST(UnitRun, ComparesFiringAlerts) {
  EXPECT_EQ(run(alert_at("2m", "")), "");
  EXPECT_EQ(run(alert_at("2m59s", "")), "") << "the evaluation at 2m counts";
  EXPECT_EQ(run(alert_at("3m", "{exp_labels: {app: x, severity: page}}")), "");
  EXPECT_EQ(run(alert_at("3m", "{exp_labels: {app: x, severity: page}, exp_annotations: {summary: 7 errors of x}}")), "");
  EXPECT_EQ(run(alert_at("30m", "")), "");
}

TEST(UnitRun, ShowsWhatDiffers) {
  EXPECT_EQ(run(alert_at("3m", "")),
            "alert Errors at 3m\n  firing, and not expected: {alertname=\"Errors\", app=\"x\", severity=\"page\"} (since 3m)\n");
  EXPECT_EQ(
      run(alert_at("2m", "{exp_labels: {app: x, severity: page}}")),
      "alert Errors at 2m\n  expected, and not firing: {alertname=\"Errors\", app=\"x\", severity=\"page\"} (pending since 1m)\n");
  EXPECT_EQ(run(alert_at("20m", "{exp_labels: {app: x}}")),
            "alert Errors at 20m\n  expected, and not firing: {alertname=\"Errors\", app=\"x\"}\n");
  EXPECT_EQ(run(alert_at("3m", "{exp_labels: {app: x, severity: warning, team: a}}")),
            "alert Errors at 3m\n"
            "  other labels: expected {alertname=\"Errors\", app=\"x\", severity=\"warning\", team=\"a\"}\n"
            "                got      {alertname=\"Errors\", app=\"x\", severity=\"page\"}\n"
            "    severity\n      expected \"warning\"\n      got      \"page\"\n"
            "    team\n      expected \"a\"\n      got      nothing\n");
  EXPECT_EQ(run(alert_at("3m", "{exp_labels: {app: x, severity: page}, exp_annotations: {summary: 8 errors of x, more: b}}")),
            "alert Errors at 3m\n"
            "  other annotations of {alertname=\"Errors\", app=\"x\", severity=\"page\"}\n"
            "    more\n      expected \"b\"\n      got      nothing\n"
            "    summary\n      expected \"8 errors of x\"\n      got      \"7 errors of x\"\n");
}

TEST(UnitRun, ComparesSamples) {
  constexpr std::string_view kExpression =
      "    logql_expr_test: [{eval_time: 2m, expr: 'sum by (app) (count_over_time({app=~\".+\"}[1m]))', ";
  EXPECT_EQ(
      run(std::string(kExpression) + "exp_samples: [{labels: '{app=\"y\"}', value: 1}, {labels: '{app=\"x\"}', value: 2}]}]\n"),
      "");
  EXPECT_EQ(
      run(std::string(kExpression) + "exp_samples: [{labels: '{app=\"z\"}', value: 1}, {labels: '{app=\"x\"}', value: 3}]}]\n"),
      "expression sum by (app) (count_over_time({app=~\".+\"}[1m])) at 2m\n"
      "  expected, and not there: {app=\"z\"} 1\n"
      "  other value of {app=\"x\"}: expected 3, got 2\n"
      "  there, and not expected: {app=\"y\"} 1\n");
  EXPECT_EQ(run("    recording_rule_test: [{eval_time: 1m, record: 'app:lines', exp_samples: [{labels: 'app:lines{app=\"x\"}', "
                "value: 3}, "
                "{labels: 'app:lines{app=\"y\"}', value: 2}]}]\n"),
            "");
  constexpr std::string_view kThird = "    logql_expr_test: [{expr: 'vector(0.1) + vector(0.2)', exp_samples: [{value: 0.3}]}]\n";
  EXPECT_NE(run(kThird), "");
  EXPECT_EQ(run(kThird, "fuzzy_compare: true"), "");
}

TEST(UnitRun, NamesThatNoRuleHasAreMistakes) {
  EXPECT_EQ(run("    alert_rule_test: [{eval_time: 1m, alertname: Error}]\n"),
            "f:10:23: no rule file has the alert 'Error'; did you mean 'Errors'?");
  EXPECT_EQ(run("    recording_rule_test: [{eval_time: 1m, record: Errors}]\n"),
            "f:10:27: no rule file has the recording rule 'Errors'; name its file below `rule_files:`");
  EXPECT_EQ(run("    alert_rule_test: [{eval_time: 1y, alertname: Errors}]\n"),
            "f:3:5: the test needs more than 100000 evaluations; take a longer `evaluation_interval:`, or an earlier `eval_time:`");
  EXPECT_TRUE(run("    logql_expr_test: [{expr: 'sum(', eval_time: 1m}]\n").starts_with("f:10:23: parse error"));
}

TEST(UnitRun, ReadsRuleFilesBesideTheTests) {
  const test::TempDir dir;
  dir.write("a.rules.yml", kRules);
  dir.write("b.rules.yml", kRules);
  const auto loaded = [&](std::string_view pattern) {
    const auto file = read_unit_file(fmt::format("rule_files: ['{}']\ntests: [{{logql_expr_test: [{{expr: a}}]}}]", pattern), "f");
    EXPECT_TRUE(file.ok());
    return load_rule_files(*file, dir / "x.test.yml");
  };
  EXPECT_EQ(loaded("a.rules.yml")->size(), 1U);
  EXPECT_EQ(loaded("*.rules.yml")->size(), 2U);
  EXPECT_EQ(loaded(dir / "b.rules.yml")->size(), 1U);
  EXPECT_EQ(loaded("c.yml").error().message, "f:1:13: no file matches 'c.yml'");
}

}  // namespace
}  // namespace weir::ruler
