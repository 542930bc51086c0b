#include "rules/redaction.h"

#include "record/json.h"

#include <gtest/gtest.h>

namespace weir::rules {
namespace {

// The text after the redaction, "(same)" when nothing changed.
std::string redacted(const std::string& pattern, const std::string& replacement, std::string_view text) {
  auto redaction = Redaction::compile({pattern, replacement});
  EXPECT_TRUE(redaction.ok()) << pattern;
  std::string out;
  const bool changed = redaction->apply(text, out);
  std::string escaped;
  record::append_escaped(escaped, text);
  EXPECT_TRUE(!changed || redaction->may_match_escaped(escaped)) << pattern << " in " << escaped;
  return changed ? out : "(same)";
}

std::string error(const std::string& pattern, const std::string& replacement) {
  auto redaction = Redaction::compile({pattern, replacement});
  return redaction.ok() ? "" : redaction.error().message;
}

TEST(Redaction, ReplacesEveryMatch) {
  EXPECT_EQ(redacted(R"(\b\d{13,16}\b)", "****", "card 4111111111111111, 4111111111111112 and 12"), "card ****, **** and 12");
  EXPECT_EQ(redacted("a", "", "banana"), "bnn");
  EXPECT_EQ(redacted("^x", "y", "xx"), "yx");
  EXPECT_EQ(redacted("x$", "y", "xx"), "xy");
  EXPECT_EQ(redacted("aa", "b", "aaaaa"), "bba");
  EXPECT_EQ(redacted("(?i)password=\\S+", "password=?", "PassWord=secret next"), "password=? next");
}

TEST(Redaction, ATextThatGrowsTooMuchIsCut) {
  const std::string out = redacted("x", std::string(1 << 20, 'y'), std::string(100, 'x'));
  EXPECT_EQ(out.size(), Redaction::kMostBytes);
  EXPECT_EQ(out.find('x'), std::string::npos) << "what is to be hidden stays hidden";
}

TEST(Redaction, WritesGroups) {
  EXPECT_EQ(redacted(R"((user)=(\w+))", R"(\1=<\2>)", "user=ann user=bob"), "user=<ann> user=<bob>");
  EXPECT_EQ(redacted("b", R"([\0])", "abc"), "a[b]c");
  EXPECT_EQ(redacted("b", R"(\\0)", "abc"), R"(a\0c)");
  EXPECT_EQ(redacted("(x)|(y)", R"(<\1\2>)", "xy"), "<x><y>");
}

TEST(Redaction, LeavesAloneWhatDoesNotMatch) {
  EXPECT_EQ(redacted("secret", "x", "nothing here"), "(same)");
  EXPECT_EQ(redacted("a", "a", "banana"), "(same)");
  EXPECT_EQ(redacted("x", "y", ""), "(same)");
}

TEST(Redaction, AnEmptyMatchIsNone) {
  EXPECT_EQ(redacted("\\d*", "#", "a12b"), "a#b");
  EXPECT_EQ(redacted("\\d*", "#",
                     "\xc3\xa9"
                     "1\xc3\xa9"),
            "\xc3\xa9#\xc3\xa9");
  EXPECT_EQ(redacted("$", "#", "a"), "(same)");
}

TEST(Redaction, BytesThatAreNotUtf8StayAsTheyAre) {
  EXPECT_EQ(redacted("b+", "#",
                     "\xff"
                     "abb\xfe"
                     "b\xff"),
            "\xff"
            "a#\xfe#\xff");
  EXPECT_EQ(redacted("(a).(c)", R"(\2\1)",
                     "\xff"
                     "a\xfe"
                     "c"),
            "\xff"
            "ca");
  EXPECT_EQ(redacted("a.c", R"(<\0>)",
                     "\xff"
                     "a\xfe"
                     "c"),
            "\xff<a\xfe"
            "c>");
}

TEST(Redaction, SeesFromTheEscapedLineThatNothingMatches) {
  const auto may = [](const std::string& pattern, std::string_view escaped) {
    return Redaction::compile({pattern, "x"})->may_match_escaped(escaped);
  };
  EXPECT_FALSE(may("password=.*", R"(\"nothing\")"));
  EXPECT_TRUE(may("password=.*", R"(\"password=x\")"));
  EXPECT_TRUE(may("password=.*", R"(\u0070assword=x)")) << "a byte may hide behind \\u";
  EXPECT_TRUE(may("\"key\"", R"(nothing)")) << "a quote is escaped";
  EXPECT_TRUE(may("a/b", R"(a\/b)"));
  EXPECT_TRUE(may("\\d+", "x")) << "no literal is certain";
  EXPECT_FALSE(may("(secret|token)=", "x"));
  EXPECT_TRUE(may("(secret|token)=", "token=1"));
}

TEST(Redaction, MistakesAreErrors) {
  EXPECT_EQ(error("(", "x"), "error parsing regexp: missing closing ): `(`");
  EXPECT_EQ(error("(a)", R"(\2)"), R"(the replacement asks for group \2, the pattern has 1)");
  EXPECT_EQ(error("a", R"(\n)"), "a backslash in a replacement needs a digit behind it");
  EXPECT_EQ(error("a", R"(\)"), "a backslash in a replacement needs a digit behind it");
}

}  // namespace
}  // namespace weir::rules
