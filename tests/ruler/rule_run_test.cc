#include "ruler/rule_run.h"

#include <gtest/gtest.h>

#include "ruler/feed.h"

namespace weir::ruler {
namespace {

using base::kMinute;
using test::feed;
using test::Line;

// Minute by minute: the alerts or samples of the rule, "-" for none, the message of an error.
std::string run(std::string_view rule_text, const std::vector<Line>& lines, base::Timestamp minutes, std::string_view group = "") {
  const auto file = read_rules(fmt::format("groups: [{{name: g, {} rules: [{}]}}]", group, rule_text), "f");
  if (!file) return file.error().message;
  auto run = RuleRun::compile(file->groups[0].rules[0], file->groups[0], {0, minutes * kMinute, kMinute}, {});
  if (!run) return run.error().message;
  feed(**run, lines);
  std::string out;
  (*run)->finish([&](std::size_t point, base::Timestamp time) {
    EXPECT_EQ(time, static_cast<base::Timestamp>(point) * kMinute);
    std::string here;
    if ((*run)->error()) here = (*run)->error()->message;
    for (const Alert& alert : (*run)->alerts()) {
      here += fmt::format("{}{}={}", word_of(alert.state), print_labels(alert.labels->labels()), alert.value);
      for (const auto& [name, text] : (*run)->annotations(alert)) here += fmt::format(" {}:{}", name, text);
    }
    for (const Sample& sample : (*run)->samples())
      here += fmt::format("{}={}", print_labels(sample.labels->labels()), sample.value);
    out += fmt::format("{}: {}\n", point, here.empty() ? "-" : here);
  });
  return out;
}

const std::vector<Line> kLines = {
    {30, "a", {{"app", "x"}, {"pod", "p"}}}, {90, "b", {{"app", "x"}, {"pod", "p"}}}, {100, "c", {{"app", "x"}, {"pod", "q"}}}};

TEST(RuleRun, LabelsComeFromTheSampleTheRuleAndTheName) {
  EXPECT_EQ(run(R"({alert: Loud, expr: 'sum by (app) (count_over_time({app="x"}[1m]))', for: 1m,
                    labels: {severity: page, app: "{{ $labels.app }}-{{ $value }}", alertname: no, gone: ""},
                    annotations: {s: "{{ $value }} of {{ $labels.app }}"}})",
                kLines, 3),
            "0: -\n"
            "1: pending{alertname=\"Loud\", app=\"x-1\", severity=\"page\"}=1 s:1 of x\n"
            // A label with the value makes another alert of it.
            "2: pending{alertname=\"Loud\", app=\"x-2\", severity=\"page\"}=2 s:2 of x\n"
            "3: -\n");
}

TEST(RuleRun, AnnotationsAreThoseOfTheLatestSample) {
  EXPECT_EQ(run(R"({alert: Loud, expr: 'sum by (app) (count_over_time({app="x"}[1m]))', for: 1m, keep_firing_for: 5m,
                    annotations: {s: "{{ $value }}"}})",
                kLines, 3),
            "0: -\n"
            "1: pending{alertname=\"Loud\", app=\"x\"}=1 s:1\n"
            "2: firing{alertname=\"Loud\", app=\"x\"}=2 s:2\n"
            "3: firing{alertname=\"Loud\", app=\"x\"}=2 s:2\n");
}

TEST(RuleRun, RecordingRulesNameTheirSeries) {
  EXPECT_EQ(run(R"({record: "x:count", expr: 'sum by (pod) (count_over_time({app="x"}[1m]))', labels: {team: a}})", kLines, 2),
            "0: -\n"
            "1: x:count{pod=\"p\", team=\"a\"}=1\n"
            "2: x:count{pod=\"p\", team=\"a\"}=1x:count{pod=\"q\", team=\"a\"}=1\n");
  EXPECT_EQ(run("{record: one, expr: 'vector(1)'}", {}, 0), "0: one{}=1\n");
}

TEST(RuleRun, OneEvaluationMayFail) {
  EXPECT_EQ(run(R"({record: n, expr: 'sum by (pod) (count_over_time({app="x"}[1m]))', labels: {pod: same}})", kLines, 3),
            "0: -\n1: n{pod=\"same\"}=1\n2: vector contains metrics with the same labelset after applying rule "
            "labels\n3: -\n");
  EXPECT_EQ(run(R"({record: n, expr: 'sum by (pod) (count_over_time({app="x"}[1m]))'})", kLines, 2, "limit: 1,"),
            "0: -\n1: n{pod=\"p\"}=1\n2: exceeded limit of 1 with 2 series\n");
  EXPECT_EQ(run(R"({alert: A, expr: 'sum by (pod) (count_over_time({app="x"}[1m]))'})", kLines, 2, "limit: 1,"),
            "0: -\n1: firing{alertname=\"A\", pod=\"p\"}=1\n2: exceeded limit of 1 with 2 alerts\n");
}

TEST(RuleRun, AQueryThatFailsFailsAtAllPoints) {
  const std::string out = run(R"({alert: A, expr: 'sum(count_over_time({app="x"} | json [1m]))'})", kLines, 1);
  EXPECT_EQ(out, run(R"({alert: A, expr: 'sum(count_over_time({app="x"}[1m]))'})", kLines, 1)) << "the sum needs no label of json";
  const std::string wrong =
      run(R"({alert: A, expr: 'sum(sum_over_time({app="x"} | json | unwrap n [1m]))'})", {{30, R"({"n":"x"})", {{"app", "x"}}}}, 1);
  EXPECT_TRUE(wrong.starts_with("0: pipeline error: 'SampleExtractionErr'")) << wrong;
  EXPECT_NE(wrong.find("\n1: pipeline error"), std::string::npos) << wrong;
}

TEST(RuleRun, AQueryOffsetLooksAtThePast) {
  EXPECT_EQ(run(R"({record: n, expr: 'sum(count_over_time({app="x"}[1m]))'})", kLines, 3, "query_offset: 1m,"),
            "0: -\n1: -\n2: n{}=1\n3: n{}=2\n");
}

}  // namespace
}  // namespace weir::ruler
