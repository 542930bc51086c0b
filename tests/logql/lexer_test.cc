#include "logql/lexer.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::logql {
namespace {

// Names of the tokens; strings, numbers and errors with their text.
std::string names(std::string_view query) {
  std::string out;
  for (const Token& token : tokenize(query)) {
    if (!out.empty()) out += ' ';
    out += token.kind == TokenKind::error ? "ERROR(" + token.text + ")" : token.name();
    if (token.kind == TokenKind::string || token.kind == TokenKind::number || token.kind == TokenKind::identifier)
      out += ":" + token.text;
  }
  return out;
}

TEST(Lexer, Tokens) {
  auto t = [](std::string_view query, std::string_view expected) { EXPECT_EQ(names(query), expected) << query; };
  t("", "$end");
  t(" \t\r\n", "$end");
  t("{a=\"b\"}", "{ IDENTIFIER:a = STRING:b } $end");
  t("a=~`b`", "IDENTIFIER:a =~ STRING:b $end");
  t("|= != |~ !~ |> !> |", "|= != |~ !~ |> !> | $end");
  t("== = > >= < <=", "== = > >= < <= $end");
  t("+-*/%^", "+ - * / % ^ $end");
  t("JSON Logfmt by BOOL", "json logfmt by bool $end");
  t("rate rate( Rate (", "IDENTIFIER:rate RATE ( RATE ( $end");
  t("sum by (x", "SUM by ( IDENTIFIER:x $end");
  t("sum by x", "IDENTIFIER:sum by IDENTIFIER:x $end");
  t("ip ip(", "IDENTIFIER:ip ip ( $end");
  t("bytes(", "BYTES_CONV ( $end");
  t("--strict --keep-empty --other", "FUNCTION_FLAG FUNCTION_FLAG - - IDENTIFIER:other $end");
  t("# a comment\nx", "IDENTIFIER:x $end");
  t("// a comment\nx /* another */ y", "IDENTIFIER:x IDENTIFIER:y $end");
  t("a_1 _b \xc3\xa9t\xc3\xa9", "IDENTIFIER:a_1 IDENTIFIER:_b IDENTIFIER:\xc3\xa9t\xc3\xa9 $end");
  t("a.b", "IDENTIFIER:a . IDENTIFIER:b $end");
  t("$ ; 'x'", "IDENTIFIER:$ IDENTIFIER:; IDENTIFIER:'x' $end");
}

TEST(Lexer, Numbers) {
  auto t = [](std::string_view query, std::string_view expected) { EXPECT_EQ(names(query), expected) << query; };
  t("1 .5 5. 1e3 1.5e-3 0x10 1_000", "NUMBER:1 NUMBER:.5 NUMBER:5. NUMBER:1e3 NUMBER:1.5e-3 NUMBER:0x10 NUMBER:1_000 $end");
  t("5m 1h30m 1.5s 3\xc2\xb5s -5m 1d", "DURATION DURATION DURATION DURATION DURATION DURATION $end");
  t("-1d", "- DURATION $end");
  t("5 m", "NUMBER:5 IDENTIFIER:m $end");
  t("5minutes", "DURATION IDENTIFIER:inutes $end");
  t("5B 5kB 5Ki 1.5GiB", "BYTES BYTES BYTES BYTES $end");
  t("5kb", "BYTES IDENTIFIER:b $end");
  t("[5m] [1h30m]", "RANGE RANGE $end");
  t("5EB", "ERROR(exponent has no digits)");
  t("5PB", "ERROR('P' exponent requires hexadecimal mantissa)");
  t("08", "ERROR(invalid digit '8' in octal literal)");
  t("1__0", "ERROR('_' must separate successive digits)");
  EXPECT_EQ(tokenize("1h30m").front().duration, 90 * base::kMinute);
  EXPECT_EQ(tokenize("1.5KiB").front().bytes, 1536U);
}

TEST(Lexer, Strings) {
  auto t = [](std::string_view query, std::string_view expected) {
    const auto tokens = tokenize(query);
    ASSERT_EQ(tokens.front().kind, TokenKind::string) << query << tokens.front().text;
    EXPECT_EQ(tokens.front().text, expected);
  };
  t(R"("a\"b\\c")", "a\"b\\c");
  t(R"("\a\b\f\n\r\t\v")", "\a\b\f\n\r\t\v");
  t(R"("\x41\101\u00e9\U0001F600")", "AA\xc3\xa9\xf0\x9f\x98\x80");
  t(R"("\xff")", "\xff");
  t("`a\\n\"b\nc`", "a\\n\"b\nc");
  t("\"\xc3\xa9\"", "\xc3\xa9");
}

TEST(Lexer, Errors) {
  auto t = [](std::string_view query, std::uint32_t line, std::uint32_t column, std::string_view why) {
    const auto tokens = tokenize(query);
    const Token& token = tokens.back();
    EXPECT_EQ(token.kind, TokenKind::error) << query;
    EXPECT_EQ(token.text, why);
    EXPECT_EQ(token.line, line) << query;
    EXPECT_EQ(token.column, column) << query;
  };
  t("{a=\"b", 1, 4, "literal not terminated");
  t("{a=\"b\nc\"", 1, 4, "literal not terminated");
  t("{a=`b", 1, 4, "literal not terminated");
  t("a \"\\q\"", 1, 3, "invalid char escape");
  t("a \"\\'\"", 1, 3, "invalid char escape");
  t("a \"\\400\"", 1, 3, "invalid syntax");
  t("a\n \"\xa0\xa1\"", 2, 2, "invalid UTF-8 encoding");
  t("a \xff", 1, 3, "invalid UTF-8 encoding");
  t("'xy'", 1, 1, "invalid char literal");
  t("[5m", 1, 1, "missing closing ']' in duration");
  t("[5minutes]", 1, 1, "unknown unit \"minutes\" in duration \"5minutes\"");
  t("a /* b", 1, 3, "comment not terminated");
}

TEST(Lexer, CountsLinesAndCharacters) {
  const auto tokens = tokenize("\xc3\xa9 b\n\tc");
  EXPECT_EQ(tokens[1].column, 3U);
  EXPECT_EQ(tokens[1].offset, 3U);
  EXPECT_EQ(tokens[2].line, 2U);
  EXPECT_EQ(tokens[2].column, 2U);
  EXPECT_TRUE(tokenize("|=").front().line_is_lost);
  EXPECT_FALSE(tokenize("|").front().line_is_lost);
}

}  // namespace
}  // namespace weir::logql
