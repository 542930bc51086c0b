#include "ruler/rule_file.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::ruler {
namespace {

using base::kMinute;

TEST(RuleFile, ReadsGroupsAndRules) {
  const auto read = read_rules(R"(
namespace: lokitool
groups:
  - name: a
    interval: 30s
    limit: 7
    rules:
      - alert: Many
        expr: |-
          sum by (pod) (rate({app="x"}[5m])) > 1
        for: 1h30m
        labels: {severity: page, prio: 1}
        annotations:
          summary: "{{ $labels.pod }} is loud"
      - record: x:rate5m
        expr: sum(rate({app="x"}[5m]))
        labels: {team: a}
  - name: b
    rules: []
)",
                               "f.yml");
  ASSERT_TRUE(read.ok()) << read.error().message << "\n" << read.error().hint;
  ASSERT_EQ(read->groups.size(), 2U);
  const Group& group = read->groups[0];
  EXPECT_EQ(group.name, "a");
  EXPECT_EQ(group.interval, 30 * base::kSecond);
  EXPECT_EQ(group.limit, 7U);
  ASSERT_EQ(group.rules.size(), 2U);
  EXPECT_EQ(group.rules[0].kind, Rule::Kind::alert);
  EXPECT_EQ(group.rules[0].name, "Many");
  EXPECT_EQ(group.rules[0].hold, 90 * kMinute);
  EXPECT_EQ(group.rules[0].labels, (Pairs{{"prio", "1"}, {"severity", "page"}}));
  EXPECT_EQ(group.rules[0].place, (yaml::Place{8, 16}));
  EXPECT_EQ(group.rules[1].kind, Rule::Kind::record);
  EXPECT_EQ(group.rules[1].name, "x:rate5m");
  EXPECT_EQ(read->groups[1].interval, 0);
  EXPECT_TRUE(read->notes.empty());
}

TEST(RuleFile, LabelsOfAGroupGiveWayToThoseOfTheRule) {
  const auto read = read_rules(
      "groups: [{name: g, labels: {a: g, b: g}, query_offset: 1m, rules: [{alert: A, expr: 'vector(1)', labels: {b: r}, "
      "keep_firing_for: 5m}]}]",
      "f");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->groups[0].rules[0].labels, (Pairs{{"a", "g"}, {"b", "r"}}));
  EXPECT_EQ(read->groups[0].rules[0].keep_firing, 5 * kMinute);
  EXPECT_EQ(read->groups[0].delay, kMinute);
  // What Loki's ruler loses.
  EXPECT_EQ(read->notes.size(), 3U);
  for (const char* const what : {"query_offset", "the labels of a group", "keep_firing_for"}) {
    EXPECT_TRUE(std::ranges::any_of(read->notes, [&](const std::string& note) { return note.ends_with(what); })) << what;
  }
}

struct Bad {
  std::string text;
  std::string message, hint;
};

std::string in_rule(const std::string& rest) { return "groups:\n  - name: g\n    rules:\n      - " + rest + "\n"; }

TEST(RuleFile, MistakesHaveTheirPlaceAndSayWhatToDo) {
  const Bad mistakes[] = {
      {"groups: [", "f:1:1: this is no YAML: end of sequence flow not found", ""},
      {"[]", "f:1:1: a file of rules must be a map", "its keys are groups, namespace"},
      {"grups: []", "f:1:1: a file of rules has no key 'grups'", "did you mean 'groups'?"},
      {"kind: PrometheusRule\nspec: {groups: []}", "f:1:1: this is an object of Kubernetes",
       "take what stands below `spec:` out of it"},
      {"groups: []\n---\ngroups: []\n", "f:1:1: the file has more than one document, and Loki reads the first one only",
       "put the groups of all of them below one `groups:`"},
      {"groups: {name: x}", "f:1:9: 'groups' must be a list", "begin each entry with '- '"},
      {"groups: [{rules: []}]", "f:1:10: the group has no name", "add `name: NAME`"},
      {"groups:\n  - name: a\n  - name: a\n", "f:3:11: another group has the name 'a', too", ""},
      {"groups:\n  - name: a\n    interval: 60\n", "f:3:15: 'interval' is no duration: not a valid duration string: \"60\"",
       "durations are 30s, 5m, 1h30m, 1d"},
      {"groups:\n  - name: a\n    limit: many\n", "f:3:12: 'limit' must be a whole number", ""},
      {in_rule("expr: vector(1)"), "f:4:9: the rule has neither 'alert' nor 'record'",
       "`alert: NAME` makes an alert, `record: NAME` a recording rule"},
      {in_rule("{alert: A, record: a, expr: vector(1)}"), "f:4:9: the rule has both 'alert' and 'record'",
       "`alert: NAME` makes an alert, `record: NAME` a recording rule"},
      {in_rule("alert: A"), "f:4:9: the rule has no 'expr'", "add `expr: LOGQL`"},
      {in_rule("{alert: A, expr: 'vector(1)', For: 5m}"), "f:4:39: a rule has no key 'For'", "did you mean 'for'?"},
      {in_rule("{record: 'a b', expr: 'vector(1)'}"), "f:4:18: 'a b' is no name of a metric", "take letters, digits, '_' and ':'"},
      {in_rule("{record: a, expr: 'vector(1)', for: 5m}"), "f:4:45: a recording rule has no 'for'", "only alerts do"},
      {in_rule("{alert: A, expr: 'vector(1)', labels: {a-b: c}}"), "f:4:48: 'a-b' is no name for one of the labels",
       "take letters, digits and '_'"},
      {in_rule("{alert: A, expr: 'vector(1)', labels: {__name__: c}}"), "f:4:48: '__name__' is no name for one of the labels",
       "take letters, digits and '_'"},
      {in_rule("{alert: A, expr: 'vector(1)', annotations: {a: [b]}}"), "f:4:56: the value of 'a' must be a text",
       "put it in quotes"},
      {in_rule("{alert: A, expr: 'vector(1)', annotations: {a: '{{ foo }}'}}"),
       "f:4:56: template: __alert_A:1: function \"foo\" not defined",
       "functions are those of Prometheus: humanize, humanizePercentage, toUpper, printf, …"},
  };
  for (const Bad& bad : mistakes) {
    const auto read = read_rules(bad.text, "f");
    ASSERT_FALSE(read.ok()) << bad.text;
    EXPECT_EQ(read.error().code, base::Code::config);
    EXPECT_EQ(read.error().message, bad.message) << bad.text;
    if (!bad.hint.empty()) {
      EXPECT_TRUE(read.error().hint.ends_with("\n" + bad.hint)) << read.error().hint;
    }
    EXPECT_NE(read.error().hint.find('^'), std::string::npos) << read.error().hint;
  }
}

TEST(RuleFile, AnExpressionIsShownWithItsOwnPlace) {
  const auto broken = read_rules(in_rule("{alert: A, expr: 'sum(rate({app=\"x\"}[5m])'}"), "f");
  ASSERT_FALSE(broken.ok());
  EXPECT_TRUE(broken.error().message.starts_with("f:4:26: the expression of 'A': parse error at line 1, col 24: "))
      << broken.error().message;
  EXPECT_TRUE(broken.error().hint.starts_with("sum(rate({app=\"x\"}[5m])\n")) << broken.error().hint;

  const auto log = read_rules(in_rule("{alert: A, expr: '{app=\"x\"} |= \"error\"'}"), "f");
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.error().message, "f:4:26: the expression of 'A': a rule needs a metric query, and this is a log query");
  EXPECT_EQ(log.error().hint, "count its lines: sum(count_over_time(… [5m])) > 0");
}

}  // namespace
}  // namespace weir::ruler
