#include "gotext/regex_shape.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::gotext {
namespace {

std::string shape(std::string_view pattern) {
  const auto tests = simplify_label_regex(pattern);
  if (!tests) return "regex";
  std::string out;
  for (const RegexTest& test : *tests) {
    constexpr std::string_view kNames[] = {"equals", "contains", "not_empty", "always"};
    out += (out.empty() ? "" : " ") + std::string(kNames[static_cast<int>(test.kind)]);
    if (!test.text.empty()) out += (test.fold ? "~" : ":") + test.text;
  }
  return out;
}

TEST(RegexShape, LabelRegexes) {
  auto t = [](std::string_view pattern, std::string_view expected) { EXPECT_EQ(shape(pattern), expected) << pattern; };
  t("foo", "equals:foo");
  t("(foo)", "equals:foo");
  t("(?i)Foo", "equals~foo");
  t("foo|bar", "equals:foo equals:bar");
  t("x.*", "contains:x");
  t(".*x", "contains:x");
  t(".*x.*", "contains:x");
  t("err|error", "contains:err contains:error");
  t("warn|warning|info", "contains:warn contains:warning equals:info");
  t("GET|POST|PUT", "equals:GET contains:POST contains:PUT");
  t("a|", "equals:a");
  t("", "always");
  t(".*", "always");
  t(".+", "not_empty");
  t("a|b", "regex");
  t("[a-f]+", "regex");
  t("foo.*bar", "regex");
  t("foo.+", "regex");
  t("^foo$", "regex");
  t("fo?", "regex");
  t("(foo|bar)baz", "regex");
  t("\\.", "equals:.");
  t("\\Qa.b\\E", "equals:a.b");
  t("\\x41", "equals:A");
}

std::string literals(std::string_view pattern) {
  const RequiredLiterals found = required_literals(pattern);
  std::string out;
  for (const std::string& text : found.all) out += (out.empty() ? "" : " ") + text;
  if (!found.any.empty()) {
    out += out.empty() ? "any" : " any";
    for (const std::string& text : found.any) out += " " + text;
  }
  if (found.exact) out += " exact";
  return out;
}

TEST(RegexShape, RequiredLiterals) {
  auto t = [](std::string_view pattern, std::string_view expected) { EXPECT_EQ(literals(pattern), expected) << pattern; };
  t("foo", "foo any foo exact");
  t("foo|bar", "any foo bar exact");
  t("err|error", "any err error exact");
  t("foo\\d+bar", "foo bar");
  t("foo.*bar", "foo bar");
  t("fo+", "f o");
  t("fo*", "f");
  t("fo?bar", "f bar");
  t("x{2,3}y", "x y");
  t("x{0,3}y", "y");
  t("(GET|POST) /api", " /api");
  t("(?i)foo", "");
  t("(?i:a)foo", "foo");
  t("(foo\\d|bar\\d)", "any foo bar");
  t("(foo\\d|\\d)", "");
  t("[abc]", "");
  t("a|b", "");
  t("^foo$", "foo");
  t("", "");
}

}  // namespace
}  // namespace weir::gotext
