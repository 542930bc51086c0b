#include "ruler/alert_state.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace weir::ruler {
namespace {

using base::kMinute;
using record::LabelSet;

// Alerts by one letter each. `answers`: what the rule gives minute by minute, "-" for nothing. The result has a word a minute: each
// alert that there is with its state (P, F, I), and for a firing one the minute it has fired since.
std::string run(const Alerts::Rule& rule, const std::string& answers) {
  Alerts alerts(rule);
  std::istringstream words(answers);
  std::string out, word;
  for (base::Timestamp minute = 0; words >> word; ++minute) {
    std::vector<Instance> instances;
    for (const char name : word) {
      if (name == '-') continue;
      const std::string text(1, name);
      const auto labels = LabelSet::intern({{"alertname", "A"}, {"x", text}});
      instances.push_back({labels, labels, 1});
    }
    if (!out.empty()) out += ' ';
    const std::size_t begin = out.size();
    if (const auto good = alerts.step(minute * kMinute, instances); !good) {
      out += "error";
      continue;
    }
    for (const Alert& alert : alerts.all()) {
      out += alert.labels->get("x");
      out += alert.state == AlertState::pending ? "P" : alert.state == AlertState::firing ? "F" : "I";
      if (alert.state == AlertState::firing) out += std::to_string(*alert.fired_at / kMinute);
    }
    if (out.size() == begin) out += '-';
  }
  return out;
}

struct Row {
  const char* what;
  Alerts::Rule rule;
  const char* answers;
  const char* expected;
};

TEST(AlertState, GoesFromStateToState) {
  const Row rows[] = {
      {"nothing", {}, "- - -", "- - -"},
      {"without `for` it fires at once", {}, "a a -", "aF0 aF0 aI"},
      {"`for` of an interval: the next one", {.hold = kMinute}, "a a a", "aP aF1 aF1"},
      {"`for` counts from the first evaluation", {.hold = 2 * kMinute}, "- a a a a", "- aP aP aF3 aF3"},
      {"a `for` between two evaluations ends at the later one", {.hold = 90 * base::kSecond}, "a a a", "aP aP aF2"},
      {"a gap begins again", {.hold = 2 * kMinute}, "a a - a a a", "aP aP - aP aP aF5"},
      {"a pending one that is gone leaves nothing", {.hold = kMinute}, "a - -", "aP - -"},
      {"one that comes back after it was resolved is new", {.hold = kMinute}, "a a - a a", "aP aF1 aI aP aF4"},
      {"each alert has its own state", {.hold = kMinute}, "a ab b b", "aP aF1bP aIbF2 aIbF2"},
      {"keep_firing_for fires on", {.keep_firing = 2 * kMinute}, "a - - - -", "aF0 aF0 aF0 aI aI"},
      {"and an evaluation with it begins the count again", {.keep_firing = 2 * kMinute}, "a - a - - -", "aF0 aF0 aF0 aF0 aF0 aI"},
      {"a pending one is not kept", {.hold = kMinute, .keep_firing = 5 * kMinute}, "a - a a", "aP - aP aF3"},
      {"resolved ones stay for 15 minutes",
       {},
       "a - - - - - - - - - - - - - - - - -",
       "aF0 aI aI aI aI aI aI aI aI aI aI aI aI aI aI aI aI -"},
      {"a limit counts pending and firing ones", {.limit = 1}, "a ab b", "aF0 error bF2"},
      {"and all are forgotten", {.hold = 2 * kMinute, .limit = 1}, "a a ab a a a", "aP aP error aP aP aF5"},
      {"inactive ones do not count", {.limit = 1}, "a b b", "aF0 aIbF1 aIbF1"},
  };
  for (const Row& row : rows) EXPECT_EQ(run(row.rule, row.answers), row.expected) << row.what;
}

TEST(AlertState, TwoSeriesWithOneSetOfLabelsAreAnErrorAndChangeNothing) {
  EXPECT_EQ(run({.hold = kMinute}, "a aa a"), "aP error aF2");
  Alerts alerts({});
  const auto labels = LabelSet::intern({{"alertname", "A"}});
  const auto good = alerts.step(0, {{labels, labels, 1}, {labels, labels, 2}});
  ASSERT_FALSE(good.ok());
  EXPECT_EQ(good.error().message, "vector contains metrics with the same labelset after applying alert labels");
}

TEST(AlertState, KeepsTheLatestSample) {
  Alerts alerts({.hold = kMinute, .keep_firing = 10 * kMinute});
  const auto labels = LabelSet::intern({{"alertname", "A"}});
  const auto first = LabelSet::intern({{"n", "1"}}), second = LabelSet::intern({{"n", "2"}});
  ASSERT_TRUE(alerts.step(0, {{labels, first, 1}}).ok());
  ASSERT_TRUE(alerts.step(kMinute, {{labels, second, 2}}).ok());
  ASSERT_TRUE(alerts.step(2 * kMinute, {}).ok());
  const auto all = alerts.all();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].state, AlertState::firing);
  EXPECT_EQ(all[0].sample, second);
  EXPECT_EQ(all[0].value, 2);
  EXPECT_EQ(all[0].active_at, 0);
  EXPECT_EQ(all[0].evaluated, kMinute);
  EXPECT_EQ(all[0].kept_since, 2 * kMinute);
}

TEST(AlertState, RemembersWhatWasResolvedLast) {
  Alerts alerts({});
  const auto labels = LabelSet::intern({{"alertname", "A"}});
  ASSERT_TRUE(alerts.step(0, {{labels, labels, 1}}).ok());
  EXPECT_FALSE(alerts.last_resolved());
  ASSERT_TRUE(alerts.step(kMinute, {}).ok());
  for (base::Timestamp minute = 2; minute < 60; ++minute) ASSERT_TRUE(alerts.step(minute * kMinute, {}).ok());
  EXPECT_TRUE(alerts.all().empty());
  ASSERT_TRUE(alerts.last_resolved());
  EXPECT_EQ(alerts.last_resolved()->fired_at, 0);
  EXPECT_EQ(alerts.last_resolved()->resolved_at, kMinute);
}

}  // namespace
}  // namespace weir::ruler
