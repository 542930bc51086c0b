#include "rules/edit.h"

#include "rules/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::rules {
namespace {

using ::testing::HasSubstr;

constexpr base::Timestamp kNow = 1795953600 * base::kSecond + 7;  // 2026-11-29T12:00:00Z
const Author kAnna = {.now = kNow, .user = "anna"};
const std::string kAudit = "# added 2026-11-29T12:00:00Z by anna\n";

std::string added(std::string_view text, std::string_view rule = "drop {app=\"x\"}", const Author& author = kAnna) {
  const auto result = add(text, "f", rule, author);
  return result.ok() ? result->text : "error: " + result.error().message;
}
std::string removed(std::string_view text, std::string_view which) {
  const auto result = remove(text, "f", which, kNow);
  return result.ok() ? result->text : "error: " + result.error().message + " / " + result.error().hint;
}

TEST(RulesEdit, AddsFirst) {
  const std::string rule = kAudit + "drop {app=\"x\"}\n";
  const std::tuple<std::string, std::string> cases[] = {
      {"", rule},
      {"keep\n", rule + "keep\n"},
      {"keep", rule + "keep"},
      {"\n\nkeep\n", rule + "\n\nkeep\n"},
      // A comment that stands directly above a rule belongs to that rule; one that a blank line closes is the head of the file.
      {"# of keep\nkeep\n", rule + "# of keep\nkeep\n"},
      {"# head\n#\n\nkeep\n", "# head\n#\n\n" + rule + "keep\n"},
      {"# head\n\n\n# of keep\nkeep\n", "# head\n\n\n" + rule + "# of keep\nkeep\n"},
      {"# head\n", "# head\n\n" + rule},
      {"# head", "# head\n\n" + rule},
      {"# head\n\n", "# head\n\n" + rule},
      {"# added 2026-11-29T11:00:00Z by bob\nkeep\n", rule + "# added 2026-11-29T11:00:00Z by bob\nkeep\n"},
      {"# added 2026-11-29T11:00:00Z by bob\n\nkeep\n", rule + "# added 2026-11-29T11:00:00Z by bob\n\nkeep\n"},
  };
  for (const auto& [before, after] : cases) EXPECT_EQ(added(before), after) << before;
  EXPECT_EQ(added("\xef\xbb\xbfkeep\n"), "\xef\xbb\xbf" + rule + "keep\n");
  EXPECT_EQ(added("\xef\xbb\xbf"), "\xef\xbb\xbf" + rule);
  EXPECT_EQ(added("# head\r\n\r\nkeep\r\n"), "# head\r\n\r\n# added 2026-11-29T12:00:00Z by anna\r\ndrop {app=\"x\"}\r\nkeep\r\n");
}

TEST(RulesEdit, TheRuleStaysAsItWasTyped) {
  EXPECT_EQ(added("", " keep for 30m {app=`x`}  # why\n"), kAudit + "keep for 30m from 2026-11-29T12:00:00Z {app=`x`}  # why\n");
  EXPECT_EQ(added("", "keep for 30m from 2026-11-29T11:00:00Z"), kAudit + "keep for 30m from 2026-11-29T11:00:00Z\n");
  const auto result = add("# head\n\nkeep\n", "f", "name n: drop |= \"z\"", kAnna);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->rule.name, "n");
  EXPECT_EQ(result->rule.place.line, 4U);
  EXPECT_EQ(result->rule.place.file, "f");
}

TEST(RulesEdit, NamesOfUsersMakeNoLines) {
  EXPECT_EQ(added("", "drop", {.now = kNow, .user = ""}), "# added 2026-11-29T12:00:00Z\ndrop\n");
  EXPECT_EQ(added("", "drop", {.now = kNow, .user = "a\ndrop"}), "# added 2026-11-29T12:00:00Z by a\\ndrop\ndrop\n");
}

TEST(RulesEdit, PrunesWhatExpiredLongAgo) {
  const std::string old = "keep for 30m from 2026-11-22T11:29:59Z {app=\"old\"}";
  const std::string recent = "keep for 30m from 2026-11-22T11:30:01Z {app=\"new\"}\n";
  EXPECT_EQ(added(recent + old + "\n# stays\nkeep\n", "drop"), kAudit + "drop\n" + recent + "# stays\nkeep\n");
  EXPECT_EQ(added("# added 2026-11-22T11:29:59Z by bob\n" + old + " # c\n\nkeep\n", "drop"), kAudit + "drop\n\nkeep\n");
  EXPECT_EQ(added("# a comment of people stays\n" + old + "\nkeep\n", "drop"),
            kAudit + "drop\n# a comment of people stays\nkeep\n");
  EXPECT_EQ(added("keep\n" + old, "drop"), kAudit + "drop\nkeep\n");
  const auto result = add(old + "\n" + old + "\n", "f", "drop", kAnna);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->pruned, 2U);
}

TEST(RulesEdit, AnExpiredRuleGivesItsNameBack) {
  EXPECT_EQ(added("name inc: keep for 5m from 2026-11-29T11:00:00Z\nkeep\n", "name inc: keep for 5m"),
            kAudit + "name inc: keep for 5m from 2026-11-29T12:00:00Z\nkeep\n");
  EXPECT_EQ(added("name inc: keep for 5m from 2026-11-29T11:59:00Z\n", "name inc: keep for 5m"),
            "error: cannot add this rule: f:3:1: the name 'inc' is already used in line 2");
}

TEST(RulesEdit, ABrokenRuleOrFileIsNotWritten) {
  EXPECT_EQ(added("keep\n", "dorp"), "error: line 1, column 1: unknown action 'dorp'");
  EXPECT_EQ(added("keep\ndorp\n"), "error: cannot add this rule: f:2:1: unknown action 'dorp'");
  EXPECT_EQ(added("keep\n", "# nothing"), "error: cannot use this rule: it is empty");
  EXPECT_EQ(added("keep\n", "drop\nkeep"), "error: cannot use this rule: it has several lines");
}

constexpr std::string_view kFile = R"(# head

# added 2026-11-29T11:50:00Z by bob
keep for 30m from 2026-11-29T11:50:00Z {app="x"}
name n: drop {app="y"} # comment

# of hold
hold | detected_level="debug"
drop {app="z"}
drop { app=`z` }
)";

TEST(RulesEdit, Removes) {
  const auto lines = [](std::initializer_list<int> gone) {
    std::string out;
    int number = 1;
    for (std::size_t at = 0; at < kFile.size(); ++number) {
      const std::size_t next = kFile.find('\n', at) + 1;
      if (std::find(gone.begin(), gone.end(), number) == gone.end()) out += kFile.substr(at, next - at);
      at = next;
    }
    return out;
  };
  EXPECT_EQ(removed(kFile, "4"), lines({3, 4}));
  EXPECT_EQ(removed(kFile, "keep for 30m {app=\"x\"}"), lines({3, 4}));
  EXPECT_EQ(removed(kFile, "keep for 30m from 2026-11-29T12:50:00+01:00 {app=\"x\"}"), lines({3, 4}));
  EXPECT_EQ(removed(kFile, "n"), lines({5}));
  EXPECT_EQ(removed(kFile, "drop {app=\"y\"}"), lines({5}));
  EXPECT_EQ(removed(kFile, "name n: drop {app=\"y\"}"), lines({5}));
  EXPECT_EQ(removed(kFile, " hold | detected_level = \"debug\" "), lines({8}));
  EXPECT_EQ(removed(kFile, "10"), lines({10}));
  const auto rules = parse(kFile, "f");
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(removed(kFile, (*rules)[2].id()), lines({8}));
  const auto result = remove(kFile, "f", "n", kNow);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->line, "name n: drop {app=\"y\"} # comment");
}

TEST(RulesEdit, RemovesNothingElse) {
  EXPECT_EQ(removed("a\nkeep\n", "1"), "keep\n");  // a line with a mistake, by its number
  EXPECT_EQ(removed("keep\r\ndrop\r\n", "1"), "drop\r\n");
  EXPECT_EQ(removed("\xef\xbb\xbfkeep\ndrop", "2"), "\xef\xbb\xbfkeep\n");
  EXPECT_EQ(removed("\xef\xbb\xbfkeep\ndrop", "1"),
            "\xef\xbb\xbf"
            "drop");
}

TEST(RulesEdit, TheLastRuleLeavesAComment) {
  const std::tuple<std::string, const char*, std::string> cases[] = {
      {"keep\n", "1", "# no rules\n"},
      {"keep", "1", "# no rules\n"},
      {"keep # why\r\n", "1", "# no rules\r\n"},
      {"\n\nkeep\n \t\n", "3", "# no rules\n"},
      {"\xef\xbb\xbfkeep\n", "1", "\xef\xbb\xbf# no rules\n"},
      {"# added 2026-11-29T11:00:00Z by bob\nkeep\n", "2", "# no rules\n"},
      {"# head\n\nkeep\n", "3", "# head\n\n"},
      {"a mistake\n", "1", "# no rules\n"},
  };
  for (const auto& [before, which, after] : cases) {
    EXPECT_EQ(removed(before, which), after) << before;
    EXPECT_TRUE(parse(after, "f").ok());
    EXPECT_FALSE(is_blank(after));
  }
  // The comment goes with the next rule, and a comment of people stays.
  EXPECT_EQ(added("# no rules\n", "drop"), kAudit + "drop\n");
  EXPECT_EQ(added("\xef\xbb\xbf# no rules\r\n", "drop"), "\xef\xbb\xbf# added 2026-11-29T12:00:00Z by anna\r\ndrop\r\n");
  EXPECT_EQ(added("# no rules yet\n", "drop"), "# no rules yet\n\n" + kAudit + "drop\n");
}

TEST(RulesEdit, WarnsOfTheNewRule) {
  const auto warnings = [](std::string_view text, std::string_view rule) {
    const auto result = add(text, "f", rule, kAnna);
    std::string out = result.ok() ? "" : result.error().message;
    if (result.ok()) {
      for (const Finding& one : result->warnings) out += print(one.place) + " " + one.message + "; ";
    }
    return out;
  };
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"", "drop", "f:2 drops all records; "},
      {"# head\n\nkeep\n", "hold", "f:4 holds all records; "},
      {"", "drop {app=\"x\"}", ""},
      {"drop\n", "keep {app=\"x\"}", ""},  // the warning is about another rule
      {"drop {app=\"x\"}\n", "sample 10% {app=\"x\"}", "f:2 acts on nothing: drop in f:3 takes all its records; "},
      {"", "limit 10/s by (pod)", ""},  // a note
      {"drop {app=\"x\"}\ndrop {app=\"x\", pod=\"y\"}\n", "drop {app=\"x\", pod=\"y\"}",
       "f:2 is never reached: drop in f:1 takes all its records; "},
  };
  for (const auto& [text, rule, expected] : cases) EXPECT_EQ(warnings(text, rule), expected) << text << rule;
}

TEST(RulesEdit, AnEqualRuleIsNotAddedAgain) {
  const std::string text = "keep {app=\"y\"}\nname n: drop { app = `x` }\nkeep for 5m from 2026-11-29T12:00:00Z\n";
  const std::tuple<const char*, std::size_t> cases[] = {
      {"keep {app=\"y\"}", 1}, {"name n: drop {app=\"x\"}", 2},  {"keep for 5m", 3},  // it begins in the same second
      {"drop {app=\"x\"}", 0},                                                        // without the name
      {"keep for 6m", 0},      {"keep {app=\"y\"} |= \"z\"", 0},
  };
  for (const auto& [rule, line] : cases) {
    const auto result = add(text, "f", rule, kAnna);
    ASSERT_TRUE(result.ok()) << rule << result.error().message;
    EXPECT_EQ(result->already, line > 0) << rule;
    EXPECT_EQ(result->text == text, line > 0) << rule;
    if (line > 0) {
      EXPECT_EQ(result->rule.place.line, line) << rule;
    }
    EXPECT_EQ(result->pruned, 0U);
  }
}

TEST(RulesEdit, WhatIsNotThereOrThereTwice) {
  const std::tuple<const char*, const char*> cases[] = {
      {"drop {app=\"z\"}", "cannot tell which rule 'drop {app=\"z\"}' means: 2 rules match / name one by its line: 9, 10"},
      {"m", "cannot find a rule 'm' in 'f' / did you mean 'n'?"},
      {"keep {app=\"q\"}", "cannot find a rule 'keep {app=\"q\"}' in 'f' / `weir rules list` shows"},
      {"keep for 20m {app=\"x\"}", "cannot find a rule"},
      {"keep for 30m from 2026-11-29T11:50:01Z {app=\"x\"}", "cannot find a rule"},
      {"name m: drop {app=\"y\"}", "cannot find a rule"},
      {"2", "cannot remove line 2 of 'f': it holds no rule"},
      {"7", "cannot remove line 7 of 'f': it holds no rule"},
      {"0", "cannot remove line 0"},
      {"99", "cannot remove line 99"},
      {"99999999999999999999999", "cannot remove line 9999"},
      {"dorp {app=\"x\"}", "cannot find the rule to remove: line 1, column 1: unknown action 'dorp'"},
      {"", "cannot find the rule to remove: cannot use this rule: it is empty"},
  };
  for (const auto& [which, message] : cases) EXPECT_THAT(removed(kFile, which), HasSubstr(message)) << which;
  EXPECT_THAT(removed("keep\ndorp\n", "keep"), HasSubstr("cannot remove this rule: f:2:1: unknown action 'dorp'"));
}

}  // namespace
}  // namespace weir::rules
