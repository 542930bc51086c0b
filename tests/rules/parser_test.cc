#include "rules/parser.h"

#include "logql/printer.h"
#include "record/timestamp.h"
#include "rules/printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace weir::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr base::Timestamp kNow = 1795953600 * base::kSecond;  // 2026-11-29T12:00:00Z

Rule one(std::string_view text) {
  auto rules = parse(text, "r", kNow);
  EXPECT_TRUE(rules.ok()) << text << "\n" << (rules.ok() ? "" : rules.error().message + "\n" + rules.error().hint);
  if (!rules.ok() || rules->size() != 1) return {};
  return rules->front();
}

template <typename T>
T action(std::string_view text) {
  const Rule rule = one(text);
  EXPECT_TRUE(std::holds_alternative<T>(rule.action)) << text;
  return std::holds_alternative<T>(rule.action) ? std::get<T>(rule.action) : T{};
}

TEST(RulesParser, TheClockOfTheseTests) { EXPECT_EQ(record::to_rfc3339(kNow), "2026-11-29T12:00:00Z"); }

TEST(RulesParser, Actions) {
  EXPECT_EQ(action<Redact>("redact `\\d{13}` with \"****\" {namespace=\"payments\"}"), (Redact{"\\d{13}", "****"}));
  EXPECT_EQ(action<Redact>(R"x(redact "a\\d(b)" with `\1#`)x"), (Redact{"a\\d(b)", "\\1#"}));
  EXPECT_EQ(action<Redact>("redact`x+`with``"), (Redact{"x+", ""}));
  EXPECT_EQ(action<Keep>("keep {app=\"x\"}"), Keep{});
  EXPECT_EQ(action<Keep>("keep for 30m from 2026-11-29T12:00:00Z {app=\"x\"}"), (Keep{Lifetime{30 * base::kMinute, kNow}}));
  EXPECT_EQ(action<Keep>("keep for 1h30m from 2026-11-29T13:00:00+01:00").lifetime->until(), kNow + 90 * base::kMinute);
  EXPECT_EQ(action<Drop>("drop"), Drop{});
  EXPECT_EQ(action<Hold>("hold | detected_level=\"debug\""), Hold{});
  EXPECT_EQ(action<Release>("release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z {app=\"x\"}"),
            (Release{kNow - 20 * base::kMinute, kNow}));
  EXPECT_EQ(action<Sample>("sample 10%"), Sample{100'000});
  EXPECT_EQ(action<Sample>("sample 0.5% |= \"x\""), Sample{5'000});
  EXPECT_EQ(action<Sample>("sample 0.0001%"), Sample{1});
  EXPECT_EQ(action<Sample>("sample 100%"), Sample{1'000'000});
  EXPECT_EQ(action<Tenant>("tenant team-a {namespace=~\"shop|checkout\"}"), Tenant{"team-a"});
  EXPECT_EQ(action<Tenant>("tenant 12:7"), Tenant{"12:7"});
}

TEST(RulesParser, Limits) {
  using Unit = Limit::Unit;
  const std::tuple<const char*, Limit> cases[] = {
      {"limit 100/s", {100, Unit::records, base::kSecond, 100, {}}},
      {"limit 100/m", {100, Unit::records, base::kMinute, 100, {}}},
      {"limit 10k/h", {10'000, Unit::records, base::kHour, 10'000, {}}},
      {"limit 100/s burst 500 by (namespace, pod)", {100, Unit::records, base::kSecond, 500, {"namespace", "pod"}}},
      {"limit 100/s by(namespace,pod)burst 500", {100, Unit::records, base::kSecond, 500, {"namespace", "pod"}}},
      {"limit 1MiB/s burst 5MiB {app=\"x\"}", {1 << 20, Unit::bytes, base::kSecond, 5 << 20, {}}},
      {"limit 1.5KiB/s", {1536, Unit::bytes, base::kSecond, 1536, {}}},
      {"limit 10MB/m", {10'000'000, Unit::bytes, base::kMinute, 10'000'000, {}}},
      {"limit 800B/s", {800, Unit::bytes, base::kSecond, 800, {}}},
  };
  for (const auto& [text, limit] : cases) EXPECT_EQ(action<Limit>(text), limit) << text;
  EXPECT_EQ(action<Dedup>("dedup 10s by (pod) {app=\"noisy\"}"), (Dedup{10 * base::kSecond, {"pod"}}));
  EXPECT_EQ(action<Dedup>("dedup 1m |= \"x\""), (Dedup{base::kMinute, {}}));
}

TEST(RulesParser, QueriesAreLogQL) {
  EXPECT_EQ(logql::print(one("drop {namespace=\"kube-system\"} |= \"healthz\"").match),
            "{namespace=\"kube-system\"} |= \"healthz\"");
  EXPECT_EQ(one("drop{app=\"x\"}").match, one("drop  \t {app=\"x\"}  ").match);
  EXPECT_EQ(one("drop != \"a\"").match.stages.size(), 1U);
  EXPECT_EQ(one("drop | json | status >= 500").match.stages.size(), 2U);
  EXPECT_EQ(one("keep {}").match, logql::LogExpr{});
  EXPECT_EQ(one("drop |= \"\u00fcber\"").match.stages.size(), 1U);
}

TEST(RulesParser, CommentsBlanksAndLineEnds) {
  const auto count = [](std::string_view text) {
    auto rules = parse(text, "r");
    EXPECT_TRUE(rules.ok()) << text << (rules.ok() ? "" : rules.error().message);
    return rules.ok() ? rules->size() : 99;
  };
  EXPECT_EQ(count(""), 0U);
  EXPECT_EQ(count("\n\n  # nothing\n\t\n"), 0U);
  EXPECT_EQ(count("drop # all\nkeep"), 2U);
  EXPECT_EQ(count("drop {app=\"x\"}\r\nkeep\r\n"), 2U);
  EXPECT_EQ(count("\xef\xbb\xbf# with a mark\ndrop"), 1U);
  EXPECT_EQ(count("\xef\xbb\xbf"
                  "drop"),
            1U);
  EXPECT_EQ(count("# Latin-1: \xfc\ndrop"), 1U);
  EXPECT_EQ(count("  \tname\tx\t:\tdrop\t|=\t\"y\"\t"), 1U);
  EXPECT_EQ(logql::print(one("drop |= \"a # b\" # c").match), "{} |= \"a # b\"");
  EXPECT_EQ(logql::print(one("drop |= `a \" # b` # \"c").match), "{} |= \"a \\\" # b\"");
  EXPECT_EQ(logql::print(one("drop |= \"http://x/*\" # c").match), "{} |= \"http://x/*\"");
}

TEST(RulesParser, Places) {
  const auto rules = parse("# a\n\n  drop\r\nname x: keep", "rules.conf");
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ((*rules)[0].place.file, "rules.conf");
  EXPECT_EQ((*rules)[0].place.line, 3U);
  EXPECT_EQ((*rules)[0].place.offset, 7U);
  EXPECT_EQ((*rules)[1].place.line, 4U);
  EXPECT_EQ((*rules)[1].place.offset, 13U);
  EXPECT_EQ((*rules)[1].name, "x");
}

TEST(RulesParser, SeveralFilesInOrder) {
  const std::vector<NamedText> files = {{"a", "name x: drop\n"}, {"b", "keep\nname y: hold"}};
  const auto rules = parse(files);
  ASSERT_TRUE(rules.ok());
  ASSERT_EQ(rules->size(), 3U);
  EXPECT_EQ((*rules)[2].place.file, "b");
  EXPECT_EQ((*rules)[2].place.line, 2U);
}

TEST(Mistakes, AreTheFirstOfEachLineOfAllTexts) {
  const std::vector<NamedText> files = {{"a", "dorp {x=\"1\"} dorp\nkeep\nname x: drop\nsample 200%\n"},
                                        {"b", "name x: hold\nhold |=\n"}};
  const auto places = [](const std::vector<base::Error>& errors) {
    std::string text;
    for (const base::Error& error : errors) text += error.message.substr(0, error.message.find(' ')) + " ";
    return text;
  };
  const std::vector<base::Error> found = mistakes(files, 10);
  EXPECT_EQ(places(found), "a:1:1: a:4:8: b:1:1: b:2:8: ");
  EXPECT_EQ(found.front().message, parse(files).error().message);
  EXPECT_EQ(places(mistakes(files, 2)), "a:1:1: a:4:8: ");
  EXPECT_EQ(places(mistakes(std::vector<NamedText>{{"a", "drop\n"}, {"b", "\xff\xfe"}, {"c", "hold |"}}, 10)), "b:1:1: c:1:7: ");
  EXPECT_TRUE(mistakes(std::vector<NamedText>{{"a", "drop\n"}, {"b", "keep"}}, 10).empty());
}

TEST(RulesParser, ANameStandsOnce) {
  const std::vector<NamedText> files = {{"a", "name x: drop\n"}, {"b", "keep\nname x: hold"}};
  const auto rules = parse(files);
  ASSERT_FALSE(rules.ok());
  EXPECT_EQ(rules.error().message, "b:2:1: the name 'x' is already used in a:1");
  const auto same = parse("name x: drop\n name x: keep", "a");
  ASSERT_FALSE(same.ok());
  EXPECT_EQ(same.error().message, "a:2:2: the name 'x' is already used in line 1");
}

// The text, the column of the caret, a part of the message, a part of what the hint says below the caret.
struct Wrong {
  std::string text;
  std::size_t column;
  const char* message;
  const char* hint;
};

TEST(RulesParser, Mistakes) {
  const Wrong cases[] = {
      // actions and names
      {"dorp {app=\"x\"}", 1, "unknown action 'dorp'", "did you mean drop?"},
      {"DROP {app=\"x\"}", 1, "unknown action 'DROP'", "did you mean drop?"},
      {"drops", 1, "unknown action 'drops'", "did you mean drop?"},
      {"exclude {app=\"x\"}", 1, "unknown action 'exclude'", "write drop"},
      {"xyzzy", 1, "unknown action 'xyzzy'", "use redact, keep, drop"},
      {"{app=\"x\"}", 1, "the action is missing", "for example: drop {app=\"x\"}"},
      {"- drop", 1, "no dash in front", ""},
      {"'drop'", 1, "not with a quote", "take away the quotes"},
      {"\u201cdrop\u201d", 1, "not with a quote", "take away the quotes"},
      {"healthz: drop", 1, "'healthz:' is not an action", "name healthz: …"},
      {"drop: {app=\"x\"}", 5, "no colon follows the action", "leave out the colon"},
      {"name n: drop:", 13, "no colon follows the action", "leave out the colon"},
      {"limit: 10/s", 6, "no colon follows the action", "leave out the colon"},
      {"name healthz drop", 13, "the colon behind the name is missing", "write: name healthz: …"},
      {"name : drop", 6, "the name is missing", ""},
      {"name 1: drop", 6, "'1' cannot be the name of a rule", "a letter, then"},
      {"name rule-0123abcd: drop", 6, "belong to rules without a name", ""},
      {"name x:", 8, "the action is missing", "write redact"},
      {"drop\u00a0{app=\"x\"}", 5, "looks like a space", "type a space"},
      {"drop |= \"\u00a0\" |= \"a\"\u200b", 19, "looks like a space", "type a space"},
      {"drop \u00a0{app=\"x\"}", 6, "looks like a space", "type a space"},
      // redact
      {"redact", 7, "the pattern is missing", "redact `"},
      {"redact {app=\"x\"}", 8, "the pattern is missing", "redact `"},
      {"redact '\\d+' with \"*\"", 8, "the pattern must be in backquotes or double quotes", "redact `"},
      {"redact \\d+ with \"*\"", 8, "the pattern must be in backquotes or double quotes", "redact `"},
      {"redact `\\d+`", 13, "the word with is missing", "redact `"},
      {"redact `\\d+` \"*\"", 14, "the word with is missing", "redact `"},
      {"redact `\\d+` with *", 19, "the replacement must be in backquotes", "redact `"},
      {"redact `\\d+ with \"*\"", 8, "the closing quote is missing", ""},
      {"redact \"\\d+\" with \"*\"", 8, "invalid char escape", "in backquotes it is itself: `\\d+`"},
      {"redact `(` with \"*\"", 8, "missing closing )", ""},
      {"redact `\\d*` with \"*\"", 8, "matches the empty text", "+ in place of *"},
      {"redact `\\d+` with `\\1`", 19, "the pattern has no group \\1", "in parentheses"},
      {"redact `(a)(b)` with `\\3`", 22, "the pattern has no group \\3", "the last group is \\2"},
      {"redact `(a)` with `\\x`", 19, "before a digit or a backslash", "\\1 to \\9"},
      {"redact `a` with \"*\" {app=\"x\"} |= \"y\"", 31, "redact takes only a selector", "remove what follows"},
      // keep and its lifetime
      {"keep 30m {app=\"x\"}", 6, "the word for is missing", "write: keep for 30m from 2026-11-29T12:00:00Z {app=\"x\"}"},
      {"keep for 30m {app=\"x\"}", 14, "a lifetime needs its beginning",
       "to begin now, write: keep for 30m from 2026-11-29T12:00:00Z {app=\"x\"}"},
      {"name a: keep for 30m", 21, "a lifetime needs its beginning", "write: name a: keep for 30m from 2026-11-29T12:00:00Z"},
      {"keep {app=\"x\"} for 30m", 16, "'for' must stand in front of the log query",
       "write: keep for 30m from 2026-11-29T12:00:00Z {app=\"x\"}"},
      {"keep {app=\"x\"} for 30m from 2026-11-29T11:50:00Z", 16, "'for' must stand",
       "write: keep for 30m from 2026-11-29T11:50:00Z {app=\"x\"}"},
      {"keep {app=\"x\"} for ever", 16, "'for' must stand", "write the parts of the action first"},
      {"keep for {app=\"x\"}", 10, "the lifetime is missing", "keep for 30m"},
      {"keep for 30 {app=\"x\"}", 10, "the unit of 30 is missing", "write 30s or 30m"},
      {"keep for 30 minutes", 10, "the unit of 30 is missing", "write: 30m"},
      {"keep for ever", 10, "'ever' is not a duration", "keep for 30m"},
      {"keep for 0s from 2026-11-29T12:00:00Z", 10, "must be greater than 0", ""},
      {"keep for -5m from 2026-11-29T12:00:00Z", 10, "'-5m' is not a duration", ""},
      {"keep for 10y from 2026-11-29T12:00:00Z", 10, "the lifetime is at most 366d", ""},
      {"keep for 30m from", 18, "the time is missing", "2026-01-31T10:00:00Z"},
      {"keep for 30m from now", 19, "the time 'now' has no date", "write: 2026-11-29T12:00:00Z"},
      {"keep for 30m from 2026-11-29T12:00:00 {app=\"x\"}", 19, "the time has no zone", "write 2026-11-29T12:00:00Z for UTC"},
      {"keep for 30m from 2026-11-29 12:00:00Z", 19, "put a T between date and time", "write: 2026-11-29T12:00:00Z"},
      {"keep for 30m from 2026-11-29 12:00:00", 19, "the time has no zone", "write 2026-11-29T12:00:00Z"},
      {"keep for 30m from 2026-02-30T12:00:00Z", 19, "'2026-02-30T12:00:00Z' is not a time", ""},
      {"keep until 2026-11-29T12:00:00Z", 6, "begins with for", "keep for 30m from"},
      {"keep for 1y from 2261-12-31T00:00:00Z", 6, "too far in the future", ""},
      // release
      {"release {app=\"x\"}", 9, "release needs the time", "release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z {app=\"x\"}"},
      {"release from 2026-11-29T11:40:00Z {app=\"x\"}", 35, "the end of the time is missing", "release from"},
      {"release from 2026-11-29T12:00:00Z to 2026-11-29T12:00:00Z", 38, "must be later", ""},
      {"release from 20m to now", 14, "the time '20m' has no date or no zone", "write: 2026-11-29T11:40:00Z"},
      // sample
      {"sample {app=\"x\"}", 8, "the percentage is missing", "sample 10%"},
      {"sample 0.1", 8, "'0.1' is not a percentage", "write 10% to keep 0.1 of the records, or 0.1%"},
      {"sample 10", 8, "'10' is not a percentage", "write: sample 10%"},
      {"sample 10 %", 8, "write no space before %", "write: 10%"},
      {"sample 1/10", 8, "'1/10' is not a percentage", "sample 10%"},
      {"sample 0%", 8, "0% would keep no record", "write drop"},
      {"sample 101%", 8, "at most 100%", ""},
      {"sample -5%", 8, "'-5%' is not a percentage", ""},
      {"sample 5.%", 8, "'5.%' is not a percentage", ""},
      {"sample 0.00001%", 8, "at most four decimals", "0.0001%"},
      // limit
      {"limit {app=\"x\"}", 7, "the rate is missing", "limit 100/s"},
      {"limit 100", 7, "no unit of time", "write 100/s, 100/m or 100/h"},
      {"limit 100 / s", 10, "write no space around the /", ""},
      {"limit 100/sec", 11, "a rate is per s, m or h", "write 100/s"},
      {"limit 100/minute", 11, "a rate is per s, m or h", "write 100/m"},
      {"limit 100/day", 11, "a rate is per s, m or h", "divide by 24"},
      {"limit 100/", 11, "a rate is per s, m or h", "write /s, /m or /h"},
      {"limit /s", 7, "a number is missing", ""},
      {"limit 0/s", 7, "greater than 0", "write drop"},
      {"limit 0.5/s", 7, "no decimals", "30/m"},
      {"limit 1M/s", 7, "'1M' may mean records or bytes", "write 1000k for records or 1MiB for bytes"},
      {"limit 5K/s", 7, "'5K' may mean records or bytes", "write 5k for records or 5KiB for bytes"},
      {"limit 5lines/s", 7, "unknown unit 'lines'", "100, 10k"},
      {"limit 99999999999999999999/s", 7, "it is too large", ""},
      {"limit fast", 7, "'fast' is not a rate", ""},
      {"limit 100/s burst", 18, "the burst is missing", "burst 500"},
      {"limit 100/s burst 50", 19, "at least the amount", "leave out burst"},
      {"limit 100/s burst 1MiB", 19, "the rate counts records", "burst 500"},
      {"limit 1/h burst 25", 17, "more than the rate gives in a day", ""},
      {"limit 100/s burst 500 burst 600", 23, "'burst' is given twice", ""},
      {"limit 100/s by namespace", 16, "put the labels in parentheses", "write: by (namespace)"},
      {"limit 100/s by ()", 17, "the name of a label is missing", "leave out by"},
      {"limit 100/s by (pod.name)", 17, "'pod.name' is not the name of a label", ""},
      {"limit 100/s by (\"pod\")", 17, "without quotes", ""},
      {"limit 100/s by (a a)", 19, "put a comma between labels", ""},
      {"limit 100/s by (a, a)", 20, "'a' is given twice", ""},
      {"limit 100/s by (a", 18, "the closing parenthesis is missing", ""},
      {"limit 100/s by (a {app=\"x\"}", 19, "the closing parenthesis is missing", ""},
      {"limit 100/s without (a)", 13, "without is not supported", "by (…)"},
      {"limit 50/s {namespace=\"shop\"} by (pod)", 31, "'by' must stand in front of the log query",
       "write: limit 50/s by (pod) {namespace=\"shop\"}"},
      {"name a: limit 50/s {a=\"b\"} by pod |= \"x\"", 28, "'by' must stand",
       "write: name a: limit 50/s by (pod) {a=\"b\"} |= \"x\""},
      {"limit 50/s per", 12, "'per' cannot begin a log query", "for example: by (namespace, pod)"},
      {"limit 50/s per (pod)", 12, "'per' cannot begin a log query", "write: limit 50/s by (pod)"},
      {"limit 50/s per (pod, app) {a=\"b\"}", 12, "'per' cannot begin", "write: limit 50/s by (pod, app) {a=\"b\"}"},
      {"limit 50/s {a=\"b\"} burst 100", 20, "'burst' must stand", "write: limit 50/s burst 100 {a=\"b\"}"},
      {"limit 50/s {a=\"b\"} by (", 20, "'by' must stand", "write the parts of the action first"},
      {"limit 50/s by (a) {a=\"b\"} by (pod)", 27, "unexpected by", ""},
      {"limit 100/s for 5m", 13, "only keep has a lifetime", ""},
      // dedup
      {"dedup 10", 7, "the unit of 10 is missing", "write 10s or 10m"},
      {"dedup {app=\"x\"}", 7, "the time is missing", "dedup 10s"},
      {"dedup 2d", 7, "the time is at most 1d", ""},
      {"dedup 10s {a=\"b\"} by (pod)", 19, "'by' must stand", "write: dedup 10s by (pod) {a=\"b\"}"},
      {"dedup by (pod)", 7, "'by' is not a duration", "dedup 10s"},
      // tenant
      {"tenant {app=\"x\"}", 8, "the tenant is missing", "tenant team-a"},
      {"tenant \"team-a\"", 8, "must not be in quotes", "tenant team-a"},
      {"tenant 'team-a'", 8, "the tenant must not be in quotes", "tenant team-a"},
      {"sample \"10%\"", 8, "the percentage must not be in quotes", "sample 10%"},
      {"limit `100/s`", 7, "the rate must not be in quotes", "limit 100/s"},
      {"limit 100/s burst \"5\"", 19, "the burst must not be in quotes", "burst 500"},
      {"dedup '10s'", 7, "the time must not be in quotes", "dedup 10s"},
      {"keep for \"30m\"", 10, "the lifetime must not be in quotes", "keep for 30m"},
      {"keep for 30m from \"2026-11-29T12:00:00Z\"", 19, "the time must not be in quotes", ""},
      {"tenant a|b", 10, "", ""},
      {"tenant a/b", 8, "'a/b' is not a tenant", "Loki takes letters"},
      {"tenant ..", 8, "'..' is not a tenant", ""},
      // queries
      {"drop 'x'", 6, "", "|= \"x\""},
      {"drop debug", 6, "'debug' cannot begin a log query", "drop | detected_level=\"debug\""},
      {"drop healthz", 6, "", "to search for a text: |= \"healthz\""},
      {"drop healthz # noise", 6, "", "to search for a text: |= \"healthz\""},
      {"drop all", 6, "'all' is not a log query", "leave out 'all'"},
      {"drop for 30m", 6, "only keep has a lifetime", "write keep for"},
      {"hold by (pod)", 6, "only limit and dedup have by", ""},
      {"drop if {app=\"x\"}", 6, "'if' cannot begin a log query", ""},
      {"drop {namespace=\"x\"", 20, "unexpected $end", "a } is missing"},
      {"drop {namespace=x}", 17, "", "put the value in double quotes: namespace=\"x\""},
      {"drop {namespace=\"x\"} |=", 24, "unexpected $end", ""},
      {"drop |= \"x", 9, "literal not terminated", "the closing quote is missing"},
      {"drop level=\"debug\"", 6, "", "{level=\"debug\"}"},
      {"hold level=debug", 6, "", "for the level: | detected_level=\"debug\"; for a label of the stream: {level=\"debug\"}"},
      {"hold level=\"WARNING\"", 6, "", "for the level: | detected_level=\"warn\"; for a label"},
      {"hold pod=debug", 6, "", "\nfor a label of the stream: {pod=\"debug\"}"},
      {"hold level=x1", 6, "", "\nfor a label of the stream: {level=\"x1\"}"},
      {"drop {a=\"b\"} or {c=\"d\"}", 14, "a rule has one log query",
       "write two rules, or one selector such as {namespace=~\"a|b\"}"},
      {"drop {a=\"b\"} |= \"x\" or {c=\"d\"}", 24, "a rule has one log query", "write two rules, or one selector"},
      {"drop {a=\"b\"} and {c=\"d\"}", 14, "a rule has one log query", "for both conditions write one selector"},
      {"drop {namespace=\"shop} |= \"/x\"", 17, "", "the closing quote is missing: \"shop\""},
      {"drop {a=\"b\", namespace=~\"shop} |= \"/x\" |= \"y\"", 25, "", "the closing quote is missing: \"shop\""},
      {"drop /healthz", 6, "", "to search for a text: |= \"/healthz\""},
      {"drop {app=\"x\"} /healthz |= \"y\"", 16, "", "to search for a text: |= \"/healthz\""},
      {"drop rate({app=\"x\"}[1m])", 6, "not a log query", "drop {app=\"nginx\"}"},
      {"drop {app=~\"(\"}", 7, "missing closing )", ""},
      {"drop | line_format \"{{\"", 6, "", ""},
      {"drop |= \"\u00fc\" |= x", 16, "", "put the text in double quotes"},
      {"drop |~ //", 9, "a comment begins with #", "in quotes"},
      {"drop /* all */", 6, "a comment begins with #", ""},
      {"drop {app=\"x\"} \\", 16, "a backslash does not continue it", "join the lines"},
      // bytes
      {std::string("drop |= \"a\0b\"", 13), 11, "zero byte", "only a part"},
      {"drop |= \"\xfc\"", 10, "not UTF-8", "save it as UTF-8"},
      {"# x\rdrop", 4, "carriage return", "LF or CRLF"},
  };
  for (const Wrong& wrong : cases) {
    const auto rules = parse("keep\n" + wrong.text + "\ndrop", "f", kNow);
    ASSERT_FALSE(rules.ok()) << wrong.text;
    const base::Error& error = rules.error();
    EXPECT_EQ(error.code, base::Code::config);
    EXPECT_THAT(error.message, StartsWith("f:2:" + std::to_string(wrong.column) + ": ")) << wrong.text;
    EXPECT_THAT(error.message, HasSubstr(wrong.message)) << wrong.text;
    const std::size_t caret = error.hint.find("^");
    ASSERT_NE(caret, std::string::npos) << error.hint;
    EXPECT_THAT(error.hint.substr(caret), HasSubstr(wrong.hint)) << wrong.text;
  }
}

TEST(RulesParser, AProposedTimeOfDayIsNearAndNotOver) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const std::tuple<const char*, const char*> cases[] = {
      {"keep for 30m from 12:00", "write: 2026-11-29T12:00:00Z"},
      {"keep for 30m from 11:40", "write: 2026-11-29T11:40:00Z"},
      {"keep for 30m from 11:20", "write: 2026-11-30T11:20:00Z"},  // today's is over
      {"keep for 30m from 11:30", "write: 2026-11-30T11:30:00Z"},  // since now
      {"keep for 2h from 11:20", "write: 2026-11-29T11:20:00Z"},
      {"keep for 30m from 12:40", "write: 2026-11-29T12:40:00Z"},
      {"keep for 1d from 12:40", "write: 2026-11-29T12:40:00Z"},  // yesterday's is not over, but far away
      {"keep for 1d from 23:00:30", "write: 2026-11-29T23:00:30Z"},
      {"keep for 2d from 01:00", "write: 2026-11-29T01:00:00Z"},
      {"keep for 30m from 20m", "write: 2026-11-29T11:40:00Z"},
      {"release from 12:40 to 13:00", "write: 2026-11-28T12:40:00Z"},  // records are of the past
  };
  for (const auto& [text, hint] : cases) {
    const auto rules = parse(text, "f", kNow);
    ASSERT_FALSE(rules.ok()) << text;
    EXPECT_THAT(rules.error().hint, HasSubstr(hint)) << text;
  }
}

TEST(RulesParser, BlankTexts) {
  for (const char* text : {"", "\n", " \t\r\n\n", "\xef\xbb\xbf", "\xef\xbb\xbf\n"}) EXPECT_TRUE(is_blank(text)) << text;
  for (const char* text : {"#", "\n# no rules\n", "keep", "\xef\xbb\xbf#"}) EXPECT_FALSE(is_blank(text)) << text;
}

TEST(RulesParser, WholeErrors) {
  const auto one_line = [](std::string_view text, std::string_view file) {
    const auto rules = parse(text, file, kNow);
    return rules.ok() ? std::string("no error") : rules.error().message + "\n" + rules.error().hint;
  };
  EXPECT_EQ(one_line("# Noise\r\ndrop {app=\"\u00fc\"} |~ x\r\n", "rules.conf"),
            "rules.conf:2:19: syntax error: unexpected IDENTIFIER, expecting STRING or ip\n"
            "drop {app=\"\u00fc\"} |~ x\n"
            "                  ^\n"
            "put the text in double quotes: |~ \"x\"");
  EXPECT_EQ(one_line("\tdorp", ""), "line 1, column 2: unknown action 'dorp'\n\tdorp\n\t^\ndid you mean drop?");
}

TEST(RulesParser, ErrorsKnowTheirByte) {
  const auto rules = parse("\xef\xbb\xbf# \u00fc\n\n dorp", "f");
  ASSERT_FALSE(rules.ok());
  EXPECT_EQ(rules.error().offset, 10U);
  EXPECT_EQ(rules.error().text.substr(10), "dorp");
}

TEST(RulesParser, WithoutAClockTheHintShowsTheForm) {
  const auto rules = parse("keep for 30m {app=\"x\"}", "f");
  ASSERT_FALSE(rules.ok());
  EXPECT_THAT(rules.error().hint, HasSubstr("write for example: keep for 30m from 2026-01-31T10:00:00Z {app=\"x\"}"));
}

TEST(RulesParser, Bounds) {
  const auto message = [](const std::string& text) {
    const auto rules = parse(text, "f");
    return rules.ok() ? std::string("no error") : rules.error().message;
  };
  EXPECT_EQ(message("drop |= \"" + std::string(100'000, 'x') + "\""), "no error");
  EXPECT_EQ(message("drop |= \"" + std::string(140'000, 'x') + "\""), "f:1:1: the line has more than 128.0 KiB");
  EXPECT_EQ(message(std::string(kMostTextBytes + 1, '\n')), "f:1:1: the text has more than 1.0 MiB");
  EXPECT_EQ(message("\xff\xfe"
                    "d\0r\0"),
            "f:1:1: the text is UTF-16");
  std::string many;
  for (std::size_t i = 0; i <= kMostRules; ++i) many += "drop\n";
  EXPECT_EQ(message(many), "f:10001:1: there are more than 10000 rules");
  // A long line is cut around the caret.
  const auto rules = parse("drop |= \"" + std::string(5000, 'x') + "\" |= y", "f");
  ASSERT_FALSE(rules.ok());
  EXPECT_LT(rules.error().hint.size(), 600U);
}

TEST(RulesParser, TypedRules) {
  const auto typed = parse_typed("  keep for 30m {app=\"x\"} # why\n", kNow + 5);
  ASSERT_TRUE(typed.ok());
  EXPECT_TRUE(typed->from_filled);
  EXPECT_EQ(typed->text, "keep for 30m from 2026-11-29T12:00:00Z {app=\"x\"} # why");
  EXPECT_EQ(typed->rule, one(typed->text));
  const auto whole = parse_typed("keep for 30m from 2026-11-29T10:00:00Z", kNow);
  ASSERT_TRUE(whole.ok());
  EXPECT_FALSE(whole->from_filled);
  EXPECT_EQ(whole->text, "keep for 30m from 2026-11-29T10:00:00Z");
  for (const char* text : {"", "  ", "# only a comment", "drop\nkeep", "dorp"}) EXPECT_FALSE(parse_typed(text, kNow).ok()) << text;
}

TEST(RulesParser, AFileOfARulerIsSaidOnce) {
  for (const char* text : {"groups:\n- name: a\n  rules: []\n", "\xef\xbb\xbf# alerts\n---\n\ngroups: # mine\n  - name: a\n"}) {
    const std::vector<base::Error> found = mistakes(std::vector<NamedText>{{"f", text}}, 50);
    ASSERT_EQ(found.size(), 1U) << text;
    EXPECT_NE(found[0].message.find(":1: this is a file of Loki's ruler, not of weir's rules"), std::string::npos)
        << found[0].message;
    EXPECT_NE(found[0].hint.find("weir rules unit"), std::string::npos);
    EXPECT_FALSE(parse(text, "f").ok());
  }
  const std::vector<base::Error> other = mistakes(std::vector<NamedText>{{"f", "drop\ngroups:\n- name\n"}}, 50);
  EXPECT_EQ(other.size(), 2U);  // a rule stands first: each line has its own mistake
}

TEST(RulesParser, Names) {
  for (const char* name : {"a", "healthz", "a-b.c_1", "rule-1", "rule-0123abcg"}) EXPECT_TRUE(is_rule_name(name)) << name;
  for (const char* name : {"", "1a", "-a", "a b", "a:b", "rule-0123abcd", "\u00fc"}) EXPECT_FALSE(is_rule_name(name)) << name;
  EXPECT_FALSE(is_rule_name(std::string(64, 'a')));
}

}  // namespace
}  // namespace weir::rules
