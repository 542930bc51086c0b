#include "rules/check.h"

#include "rules/parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::rules {
namespace {

constexpr base::Timestamp kNow = 1795953600 * base::kSecond;  // 2026-11-29T12:00:00Z

// "LINE severity: message", one a line.
std::string found(std::string_view text, Surroundings where = {}) {
  if (where.now == 0) where.now = kNow;
  const auto rules = parse(text, "f");
  if (!rules.ok()) return rules.error().message;
  std::string out;
  for (const Finding& one : check(*rules, where)) {
    EXPECT_EQ((*rules)[one.rule].place.line, one.place.line);
    out += fmt::format("{} {}: {}\n", one.place.line, one.severity == Severity::note ? "note" : "warning", one.message);
  }
  return out;
}

TEST(RulesCheck, NothingToSay) {
  for (const char* text : {
           "",
           "drop {app=\"x\"}",
           "drop {app=\"x\"}\nkeep {app=\"y\"}\nhold | detected_level=\"debug\"",
           "keep for 30m from 2026-11-29T11:45:00Z {app=\"x\"}\ndrop {app=\"x\"}",  // a lifetime ends
           "drop {app=\"x\"} |= \"a\"\nkeep {app=\"x\"}",                           // the later one takes more
           "drop {app=\"x\", b=\"y\"}\nkeep {app=\"x\"}",
           "drop {app=~\"x|y\"}\nkeep {app=~\"x.*\"}",
           "drop {app!=\"x\"}\nkeep {app=\"x\"}",
           "drop | json | a=\"b\"\nkeep | json | a=\"b\"",  // the drop does not match records that are no JSON, the keep does
           "drop | json | a=\"b\"\ndrop | json | a=\"b\" | c=\"d\"",
           "keep {app=\"x\"} |= \"a\"\ndrop {app=\"x\"}\nlimit 10/s {app=\"x\"}",  // what the keep saves is limited
           "drop {app=\"x\"} |= \"a\"\nlimit 10/s {app=\"x\"}",
           "limit 10/s by (namespace)\nlimit 20/s by (namespace)",
           "redact `a(b)` with \"$\"",
           "release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z",
           "hold {app=\"x\"}\ntenant a {app=\"x\"}",
       }) {
    EXPECT_EQ(found(text), "") << text;
  }
}

TEST(RulesCheck, Everything) {
  EXPECT_EQ(found("drop"), "1 warning: drops all records\n");
  EXPECT_EQ(found("limit 1/s\nhold {}"),
            "1 warning: acts on nothing: hold in f:2 takes all its records\n2 warning: holds all records\n");
  EXPECT_EQ(found("drop {app=~\".*\"} |= \"\""), "1 warning: drops all records\n");
  EXPECT_EQ(found("drop |~ \".*\""), "1 warning: drops all records\n");
  EXPECT_EQ(found("keep {app=\"x\"}\ndrop"), "2 note: drops all records that no rule before it takes\n");
  EXPECT_EQ(found("keep"), "");
}

TEST(RulesCheck, NeverReached) {
  const auto second = [](std::string_view text) {
    const std::string all = found(text);
    const std::size_t at = all.find("2 warning: ");
    return at == std::string::npos ? "no finding in line 2: " + all : all.substr(at + 11);
  };
  for (const char* text : {
           "drop\nkeep {app=\"x\"}",
           "drop {app=\"x\"}\nkeep {app=\"x\"}",
           "drop {app=\"x\"}\nkeep {b=\"y\", app=\"x\"} |= \"a\"",
           "drop {app=~\"x|y\"}\nkeep {app=\"y\"}",
           "drop {app!=\"z\"}\nkeep {app=\"y\"}",
           "drop {app=~\".*\"}\nkeep {b=\"y\"}",
           "drop |= \"a\"\nkeep {app=\"x\"} |= \"a\" |= \"b\"",
           "drop | json | a=\"b\"\ndrop | json | a=\"b\"",
       }) {
    EXPECT_EQ(second(text), "is never reached: drop in f:1 takes all its records\n") << text;
  }
  EXPECT_EQ(second("keep | json | a=\"b\"\ndrop | json | a=\"b\""), "is never reached: keep in f:1 takes all its records\n");
  EXPECT_EQ(second("hold {app=\"x\"}\nkeep for 5m from 2026-11-29T11:59:00Z {app=\"x\"}"),
            "is never reached: hold in f:1 takes all its records\n");
  // Said once, and of a rule that takes everything no second time.
  EXPECT_EQ(found("drop\nkeep\ndrop"),
            "1 warning: drops all records\n2 warning: is never reached: drop in f:1 takes all its records\n"
            "3 warning: is never reached: drop in f:1 takes all its records\n");
}

TEST(RulesCheck, LaterPhases) {
  EXPECT_EQ(found("sample 10% {app=\"x\"}\ndrop {app=\"x\"}"), "1 warning: acts on nothing: drop in f:2 takes all its records\n");
  EXPECT_EQ(found("tenant a {app=\"x\"}\ndrop {app=\"x\"}"), "1 warning: acts on nothing: drop in f:2 takes all its records\n");
  EXPECT_EQ(found("limit 10/s by (a)\nname x: limit 10/s by (a)"), "2 warning: says the same as the rule in f:1\n");
  EXPECT_EQ(found("sample 100%"), "1 note: keeps all records\n");
}

TEST(RulesCheck, Lifetimes) {
  EXPECT_EQ(found("keep for 30m from 2026-11-29T11:00:00Z"), "1 note: expired 30 minutes ago\n");
  EXPECT_EQ(found("keep for 30m from 2026-11-29T11:30:00Z"), "1 note: expired now\n");
  EXPECT_EQ(found("keep for 30m from 2026-11-29T13:00:00Z"), "1 note: begins in 1 hour\n");
  EXPECT_EQ(found("release from 2026-11-29T11:00:00Z to 2026-11-29T13:00:00Z"),
            "1 note: releases records up to a time that comes in 1 hour\n");
}

TEST(RulesCheck, KeysWithManyValues) {
  EXPECT_EQ(found("limit 10/s by (namespace, pod)"), "1 note: counts by 'pod', which may have many values\n");
  EXPECT_EQ(found("dedup 10s by (trace_id, path)"), "1 note: counts by 'trace_id', which may have many values\n");
  const auto rules = parse("limit 10/s by (ip)", "f");
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(check(*rules, {}).front().hint,
            "weir remembers at most 65,536 keys for all rules together; then it forgets the key that was used longest ago, and "
            "records with it pass");
}

TEST(RulesCheck, Levels) {
  for (const char* text : {"hold | detected_level=\"debug\"", "drop {detected_level=\"debug\"}",
                           "keep | json | (a=\"b\" or detected_level=\"info\")"}) {
    EXPECT_EQ(found(text, {.levels_known = false}), "1 warning: reads detected_level, which no stage in front of it sets\n")
        << text;
    EXPECT_EQ(found(text, {.levels_known = true}), "");
    EXPECT_EQ(found(text), "");
  }
  EXPECT_EQ(found("drop | level=\"debug\"", {.levels_known = false}), "");
}

TEST(RulesCheck, Redactions) {
  EXPECT_EQ(found("redact `a` with \"b\"", {.behind_buffer = true}),
            "1 warning: redacts behind buffer, so the spool holds the text as it was\n");
  EXPECT_EQ(found("redact `(a)b` with \"$1\""), "1 warning: the replacement holds a $, which stands for itself\n");
}

TEST(RulesCheck, EmptyFiles) {
  const std::vector<NamedText> files = {{"a", ""}, {"b", "# no rules\n"}, {"c", "\xef\xbb\xbf\r\n \t\n"}, {"d", "keep"}};
  const auto findings = check_texts(files);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(print(findings[0].place), "a:1");
  EXPECT_EQ(print(findings[1].place), "c:1");
  EXPECT_EQ(findings[0].severity, Severity::note);
  EXPECT_EQ(findings[0].message, "the file is empty");
  EXPECT_EQ(findings[0].hint,
            "a running chain takes an emptied file for a broken one: leave a comment in it, for example # no rules");
}

TEST(RulesCheck, SeveralFiles) {
  const std::vector<NamedText> files = {{"a", "drop {app=\"x\"}"}, {"b", "\nkeep {app=\"x\"}"}};
  const auto rules = parse(files);
  ASSERT_TRUE(rules.ok());
  const auto findings = check(*rules, {.now = kNow});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(print(findings[0].place), "b:2");
  EXPECT_EQ(findings[0].message, "is never reached: drop in a:1 takes all its records");
  EXPECT_EQ(print(RulePlace{.file = "", .line = 3}), "line 3");
}

}  // namespace
}  // namespace weir::rules
