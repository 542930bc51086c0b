#include "convert/line_pattern.h"

#include "gotext/regex.h"

#include <gtest/gtest.h>

namespace weir::convert {
namespace {

TEST(LinePattern, FindsGroups) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(group_names(R"(^(?s)(?P<time>\S+?) (stdout|stderr) (?:x) (?<content>[()]*)$)"), (Names{"time", "", "content"}));
  EXPECT_EQ(group_names(R"(\(a\) [](] \Q(x)\E [[:alpha:](] (b))"), (Names{""}));
  EXPECT_EQ(group_names("("), Names());
  EXPECT_EQ(prefix_groups("(?P<a>x)(?<b>y)(z)", "f_"), "(?P<f_a>x)(?<f_b>y)(z)");
}

TEST(LinePattern, OutputsAGroup) {
  EXPECT_EQ(output_of_group("^a (?P<x>b)(c)", "x"), (Redaction{"(?s:^.*?)(?:^a (?P<x>b)(c))(?s:.*)$", "\\1"}));
  EXPECT_EQ(output_of_group("(a)(?P<x>b)", "x")->replacement, "\\2");
  EXPECT_FALSE(output_of_group("(a)", "x"));
  EXPECT_FALSE(output_of_group("(a)(a)(a)(a)(a)(a)(a)(a)(a)(?P<x>a)", "x"));
}

struct Case {
  std::string regex, text;
  Redaction made;
};
class Replacements : public testing::TestWithParam<Case> {};
TEST_P(Replacements, KeepWhatIsNoGroup) {
  const auto made = replace_groups(GetParam().regex, GetParam().text);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(*made, GetParam().made);
  EXPECT_TRUE(gotext::Regex::compile(made->pattern).ok());
}
INSTANTIATE_TEST_SUITE_P(
    All, Replacements,
    testing::Values(Case{"(secret)", "***", {"(?:secret)", "***"}},
                    Case{R"(password=(\S+))", "***", {R"((password=)(?:\S+))", "\\1***"}},
                    Case{R"((\d+)-(?:x|y)-(\d+)z)", "a\\b", {R"((?:\d+)(-(?:x|y)-)(?:\d+)(z))", "a\\\\b\\1a\\\\b\\2"}},
                    Case{"a((b)c)", "<{{ .Value }}>", {"(a)((?:b)c)", "\\1<\\2>"}},
                    Case{"(?P<ip>x)", "{{.Value}}", {"(x)", "\\1"}}));

TEST(LinePattern, RefusesWhatARuleCannotDo) {
  for (const auto& [regex, text] :
       std::vector<std::pair<std::string, std::string>>{{"a|(b)", "x"},
                                                        {"(a)*", "x"},
                                                        {"(?:(a)b)+", "x"},
                                                        {"(?i)(a)", "x"},
                                                        {"abc", "x"},
                                                        {"(a)", "{{ .Value | ToUpper }}"},
                                                        {"(a)", "{{ .other }}"},
                                                        {"(a)", "{{"},
                                                        {"a(b)c(b)c(b)c(b)c(b)c(b)c(b)c(b)c(b)c(b)", "x"}}) {
    EXPECT_FALSE(replace_groups(regex, text).has_value()) << regex;
  }
}

}  // namespace
}  // namespace weir::convert
