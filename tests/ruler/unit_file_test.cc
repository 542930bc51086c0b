#include "ruler/unit_file.h"

#include <gtest/gtest.h>

namespace weir::ruler {
namespace {

using base::kMinute;
using base::kSecond;

TEST(UnitFile, ReadsTests) {
  const auto read = read_unit_file(R"(
rule_files: [a.yml, b/*.yml]
evaluation_interval: 30s
group_eval_order: [x]
fuzzy_compare: true
tests:
  - name: an outage
    interval: 10s
    start_timestamp: 2026-11-29T12:00:00Z
    external_labels: {cluster: eu}
    external_url: https://loki
    input_streams:
      - stream: '{app="x", pod="p"}'
        metadata: {detected_level: info}
        lines:
          - first
          - second
          - {line: third, every: 1m, times: 3, metadata: {detected_level: error, id: 7}}
          - behind it
          - {line: late, at: 1h}
          - {line: abc, bytes: 5, at: 160s}
    alert_rule_test:
      - eval_time: 5m
        alertname: A
        exp_alerts:
          - exp_labels: {app: x}
            exp_annotations: {summary: s}
          - exp_labels: {app: y}
    logql_expr_test:
      - {expr: 'sum(rate({app="x"}[5m]))', eval_time: 5m, exp_samples: [{labels: '{}', value: 0.5}]}
    recording_rule_test:
      - {record: x:y, eval_time: 1m, exp_samples: [{labels: 'x:y{a="b"}', value: .inf}, {value: 1}]}
)",
                                   "f");
  ASSERT_TRUE(read.ok()) << read.error().message << "\n" << read.error().hint;
  EXPECT_EQ(read->rule_files, (std::vector<std::string>{"a.yml", "b/*.yml"}));
  EXPECT_EQ(read->interval, 30 * kSecond);
  EXPECT_TRUE(read->fuzzy);
  ASSERT_EQ(read->tests.size(), 1U);
  const UnitTest& test = read->tests[0];
  EXPECT_EQ(test.name, "an outage");
  EXPECT_EQ(test.start, 1795953600 * kSecond);
  EXPECT_EQ(test.external_labels, (Pairs{{"cluster", "eu"}}));
  ASSERT_EQ(test.streams.size(), 1U);
  EXPECT_EQ(test.streams[0].labels->json(), R"({"app":"x","pod":"p"})");
  std::string lines;
  for (const InputLine& line : test.streams[0].lines) {
    lines += fmt::format("{} {}", line.at / kSecond, line.line);
    if (line.times != 1) lines += fmt::format(" {} every {}", line.times, line.every / kSecond);
    lines += fmt::format(" {};", line.metadata.front().second);
  }
  EXPECT_EQ(lines, "0 first info;10 second info;20 third 3 every 60 error;150 behind it info;3600 late info;160 abcab info;");
  EXPECT_EQ(test.streams[0].lines[2].metadata, (Pairs{{"detected_level", "error"}, {"id", "7"}}));
  ASSERT_EQ(test.alerts.size(), 1U);
  EXPECT_EQ(test.alerts[0].at, 5 * kMinute);
  ASSERT_EQ(test.alerts[0].expected.size(), 2U);
  EXPECT_EQ(test.alerts[0].expected[0].labels->json(), R"({"alertname":"A","app":"x"})");
  EXPECT_EQ(test.alerts[0].expected[0].annotations, (Pairs{{"summary", "s"}}));
  EXPECT_FALSE(test.alerts[0].expected[1].annotations);
  ASSERT_EQ(test.expressions.size(), 1U);
  EXPECT_EQ(test.expressions[0].expected[0].value, 0.5);
  ASSERT_EQ(test.recordings.size(), 1U);
  EXPECT_EQ(test.recordings[0].expected[0].labels->json(), R"({"__name__":"x:y","a":"b"})");
  EXPECT_EQ(test.recordings[0].expected[1].labels->size(), 0U);
}

TEST(UnitFile, MistakesHaveTheirPlaceAndSayWhatToDo) {
  struct Bad {
    std::string text;
    std::string message, hint;
  };
  const auto in_test = [](const std::string& rest) { return "tests:\n  - " + rest + "\n"; };
  const auto in_stream = [](const std::string& rest) {
    return "tests: [{logql_expr_test: [{expr: a}], input_streams: [" + rest + "]}]";
  };
  const Bad mistakes[] = {
      {in_stream("{stream: '{a=\"b\"}', lines: [{line: '', bytes: 7}]}"),
       "f:1:102: 'bytes' repeats a text up to that size, at most 1048576", ""},
      {in_stream("{stream: '{a=\"b\"}', lines: [{line: a, every: 1y, times: 200}]}"),
       "f:1:84: the lines reach over more than 100 years", ""},
      {in_test("alert_rule_test: [{alertname: A, eval_time: 101y}]"), "f:2:49: 'eval_time' is longer than 100 years", ""},
      {"{}", "f:1:1: the file has no tests", "add `tests:` and below it a list of them"},
      {"test: []", "f:1:1: a file of unit tests has no key 'test'", "did you mean 'tests'?"},
      {in_test("input_series: []"), "f:2:5: LogQL rules read log lines, not series", "give the lines below `input_streams:`"},
      {in_test("promql_expr_test: []"), "f:2:5: the rules are LogQL, not PromQL", "use `logql_expr_test:`"},
      {in_test("name: x"), "f:2:5: the test expects nothing",
       "add `alert_rule_test:`, `logql_expr_test:` or `recording_rule_test:`"},
      {in_test("alert_rule_test: [{eval_time: 5m}]"), "f:2:23: the test has no 'alertname'", "add `alertname: NAME`"},
      {in_test("alert_rule_test: [{alertname: A, eval_time: 5}]"),
       "f:2:49: 'eval_time' is no duration: not a valid duration string: \"5\"", "durations are 30s, 5m, 1h30m, 1d"},
      {in_test("logql_expr_test: [{expr: a, exp_samples: [{labels: '{}'}]}]"), "f:2:47: the sample has no 'value'",
       "add `value: NUMBER`"},
      {in_test("logql_expr_test: [{expr: a, exp_samples: [{labels: '{a!=\"b\"}', value: 1}]}]"),
       "f:2:56: 'labels' must say label=\"value\"", "write 'NAME{namespace=\"shop\"}', in single quotes"},
      {in_test("{start_timestamp: tomorrow, logql_expr_test: [{expr: a}]}"),
       "f:2:23: 'start_timestamp' is no time from 1970 to 2100", "write 2026-11-30T00:00:00Z, or seconds since 1970"},
      {in_stream("{lines: [a]}"), "f:1:56: the input stream has no 'stream'", "add `stream: '{namespace=\"shop\"}'`"},
      {in_stream("{stream: 'x{a=\"b\"}'}"), "f:1:65: 'stream' must be labels in braces",
       "write '{namespace=\"shop\"}', in single quotes"},
      {in_stream("{stream: '{}'}"), "f:1:65: a stream needs a label", "write '{namespace=\"shop\"}'"},
      {in_stream("{stream: '{a=\"b\"}', lines: [{at: 5m}]}"), "f:1:84: the entry has no 'line'", "add `line: TEXT`"},
      {in_stream("{stream: '{a=\"b\"}', lines: [{line: a, every: 0s}]}"), "f:1:101: 'every' must be longer than nothing", ""},
      {in_stream("{stream: '{a=\"b\"}', lines: [{line: a, times: 2000000}]}"), "f:1:84: the tests have more than 1000000 lines",
       ""},
  };
  for (const Bad& bad : mistakes) {
    const auto read = read_unit_file(bad.text, "f");
    ASSERT_FALSE(read.ok()) << bad.text;
    EXPECT_EQ(read.error().message, bad.message) << bad.text;
    if (!bad.hint.empty()) {
      EXPECT_TRUE(read.error().hint.ends_with("\n" + bad.hint)) << read.error().hint;
    }
  }
}

}  // namespace
}  // namespace weir::ruler
