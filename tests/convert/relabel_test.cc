#include "convert/relabel.h"

#include <gtest/gtest.h>

namespace weir::convert {
namespace {

std::vector<RelabelRule> rules_of(std::string_view yaml, Report& report) {
  auto read = yaml::parse(yaml, "f");
  EXPECT_TRUE(read.ok());
  return read_relabel_rules(read->root, {}, report);
}

// One rule on some labels.
struct Case {
  std::string rule;
  Labels before, after;
  bool kept = true;
};
class Relabel : public testing::TestWithParam<Case> {};
TEST_P(Relabel, DoesWhatPrometheusDoes) {
  Report report;
  const auto rules = rules_of("[" + GetParam().rule + "]", report);
  ASSERT_FALSE(report.failed());
  ASSERT_EQ(rules.size(), 1U);
  Labels labels = GetParam().before;
  EXPECT_EQ(apply(rules[0], labels), GetParam().kept);
  if (GetParam().kept) {
    EXPECT_EQ(labels, GetParam().after);
  }
}
INSTANTIATE_TEST_SUITE_P(
    All, Relabel,
    testing::Values(
        Case{"{source_labels: [a], target_label: b}", {{"a", "x"}}, {{"a", "x"}, {"b", "x"}}},
        Case{"{source_labels: [a, b], separator: /, target_label: c}",
             {{"a", "x"}, {"b", "y"}},
             {{"a", "x"}, {"b", "y"}, {"c", "x/y"}}},
        Case{"{target_label: c, replacement: fixed}", {}, {{"c", "fixed"}}},
        Case{"{source_labels: [a], regex: 'x(.*)', target_label: b, replacement: '${1}-$1-$$'}",
             {{"a", "xy"}},
             {{"a", "xy"}, {"b", "y-y-$"}}},
        // The expression matches the whole value, and the dot a newline.
        Case{"{source_labels: [a], regex: 'x', target_label: b}", {{"a", "xy"}}, {{"a", "xy"}}},
        Case{"{source_labels: [a], regex: 'x.y', target_label: b, replacement: z}", {{"a", "x\ny"}}, {{"a", "x\ny"}, {"b", "z"}}},
        // An empty replacement takes the label away.
        Case{"{source_labels: [a], target_label: b, replacement: ''}", {{"a", "x"}, {"b", "y"}}, {{"a", "x"}}},
        Case{"{source_labels: [none], target_label: b}", {{"b", "y"}}, {}},
        Case{"{source_labels: [a], regex: '(?P<n>.)(.)', target_label: 'l_$n', replacement: $2}",
             {{"a", "xy"}},
             {{"a", "xy"}, {"l_x", "y"}}},
        Case{"{source_labels: [a], action: keep, regex: x|y}", {{"a", "y"}}, {{"a", "y"}}},
        Case{"{source_labels: [a], action: keep, regex: x|y}", {{"a", "yy"}}, {}, false},
        Case{"{source_labels: [a], action: Drop, regex: y.*}", {{"a", "yy"}}, {}, false},
        Case{"{source_labels: [a], action: keepequal, target_label: b}", {{"a", "1"}, {"b", "2"}}, {}, false},
        Case{"{source_labels: [a], action: dropequal, target_label: b}", {{"a", "1"}, {"b", "2"}}, {{"a", "1"}, {"b", "2"}}},
        Case{"{source_labels: [a], action: lowercase, target_label: b}", {{"a", "Xy"}}, {{"a", "Xy"}, {"b", "xy"}}},
        Case{"{action: labelmap, regex: 'm_(.+)'}", {{"m_a", "1"}, {"n", "2"}}, {{"m_a", "1"}, {"a", "1"}, {"n", "2"}}},
        Case{"{action: labeldrop, regex: 'a|b'}", {{"a", "1"}, {"c", "2"}}, {{"c", "2"}}},
        Case{"{action: labelkeep, regex: 'a|b'}", {{"a", "1"}, {"c", "2"}}, {{"a", "1"}}}));

TEST(RelabelMistakes, AreNamed) {
  for (const char* const bad :
       {"[{action: nothing}]", "[{regex: '('}]", "[{source_labels: [a]}]", "[{source_labels: x, target_label: y}]", "x"}) {
    Report report;
    (void)rules_of(bad, report);
    EXPECT_TRUE(report.failed()) << bad;
  }
  Report report;
  (void)rules_of("[{source_labels: [a], target_label: b, colour: red}]", report);
  EXPECT_FALSE(report.failed());
  const auto findings = report.take();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].path, "[0].colour");
  EXPECT_EQ(findings[0].severity, Severity::not_expressible);
}

TEST(RelabelWords, AreThoseThatMakeADifference) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(literal_words("kube-system|(?:a\\.b)"), (Words{"kube-system", "a.b"}));
  EXPECT_EQ(literal_words("^;*([^;]+)(;.*)?$"), Words());
  EXPECT_EQ(as_globs("a|b-.*|(c)"), Words());
  EXPECT_EQ(as_globs("(a|b-.*)"), (Words{"a", "b-*"}));
  EXPECT_EQ(as_globs("^kube-system$"), (Words{"kube-system"}));
  EXPECT_EQ(as_globs("a.b"), Words());
  EXPECT_EQ(as_globs(""), Words());
  EXPECT_EQ(as_globs(".*"), Words());
}

}  // namespace
}  // namespace weir::convert
