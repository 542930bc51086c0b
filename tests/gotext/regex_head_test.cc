#include "gotext/regex_head.h"

#include "gotext/regex.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace weir::gotext {
namespace {

using Answer = RegexHead::Answer;

TEST(RegexHead, IsTheWholeAnswer) {
  const RegexHead head(R"(^\d{4}-\d\d-\d\d)");
  EXPECT_EQ(head.test("2026-11-30 INFO started"), Answer::yes);
  EXPECT_EQ(head.test("2026-11-30"), Answer::yes);
  EXPECT_EQ(head.test("2026-11-3"), Answer::no);
  EXPECT_EQ(head.test("2026-11-3x"), Answer::no);
  EXPECT_EQ(head.test("\tat shop.Main"), Answer::no);
  EXPECT_EQ(head.test(""), Answer::no);
  EXPECT_EQ(head.test("20\xc3\xa9"), Answer::unsure);
}

TEST(RegexHead, IsPartOfTheAnswer) {
  const RegexHead head(R"(^\[\w+ x)");
  EXPECT_EQ(head.test("[a x"), Answer::unsure);
  EXPECT_EQ(head.test("[ x"), Answer::no);
  EXPECT_EQ(head.test("a"), Answer::no);
  const RegexHead repeated(R"(^a{2,3}b)");
  EXPECT_EQ(repeated.test("ab"), Answer::no);
  EXPECT_EQ(repeated.test("aab"), Answer::unsure);
}

TEST(RegexHead, SaysNothingOfOtherExpressions) {
  for (const char* const pattern : {"a", "(?m)^a", "^a|b", "(^a)", "(?i)^a", R"(\Aa)", "a*^b", "", "^a*b", "^é"})
    EXPECT_EQ(RegexHead(pattern).test("x"), Answer::unsure) << pattern;
}

// Against the engine, on texts that are near to matching.
TEST(RegexHead, SaysWhatTheExpressionSays) {
  constexpr const char* kPatterns[] = {
      "^",         "^a",       "^ab",     R"(^\d)",     R"(^\d{2})", R"(^\d{1,2}b)", "^a{0}b",        "^a?b",      "^(a)b",
      "^(ab){2}",  "^(a+b)",   "^[ab]a",  "^[^a]",      R"(^\S)",    R"(^\S\s)",     "^.a",           "^a.",       "^a$",
      "^$",        "^a{2}$",   "^[a]",    R"(^[\d-]a)", "^[]a]",     "^[a-]",        "^[[:digit:]]a", R"(^\pL)",   R"(^\PL)",
      R"(^[\^a])", "^^a",      R"(^\ba)", "^a{2}?b",    "^a{,2}",    R"(^\x61b)",    R"(^\Qa.\Eb)",   "^(a?){2}b", "^[^\\x{e9}]a",
      "^é",        "^aé",      "^(a*)b",  "^a^b",       R"(^\W)",    "^[é]",         "^(a{2}b?)a",    "^a()b",     R"(^\Ba)",
      "^a\n",      R"(^a\.b)", "^[.]b",   "^(\\d\\d)+a"};
  constexpr const char* kPieces[] = {"a", "b", "1", "-", ".", "]", "^", " ", "\n", "\xc3\xa9", "\xff", "\xc3", "\xe2\x84\xaa",
                                     "A", ",", "{", "2"};
  std::mt19937 dice(7);
  for (const char* const pattern : kPatterns) {
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex) << pattern;
    const RegexHead head(pattern);
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      for (unsigned size = dice() % 6; size > 0; --size) text += kPieces[dice() % std::size(kPieces)];
      const Answer answer = head.test(text);
      if (answer == Answer::unsure) continue;
      ASSERT_EQ(answer == Answer::yes, regex->matches(text)) << pattern << " on " << text;
    }
  }
}

TEST(RegexHead, HasABound) {
  const RegexHead head("^(a{900}){1000}");
  EXPECT_EQ(head.test("b"), Answer::no);
  EXPECT_EQ(head.test(std::string(2000, 'a')), Answer::unsure);
}

}  // namespace
}  // namespace weir::gotext
