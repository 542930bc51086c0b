#include "logql/pattern.h"

#include <gtest/gtest.h>

namespace weir::logql {
namespace {

TEST(Pattern, Failure) {
  auto parser = [](std::string_view text, std::string_view expected) {
    auto pattern = Pattern::compile_parser(text);
    ASSERT_FALSE(pattern.ok()) << text;
    EXPECT_EQ(pattern.error().message, expected);
  };
  parser("<a><b>", "found consecutive capture '<a><b>': invalid expression");
  parser("foo", "at least one capture is required");
  parser("<_>", "at least one capture is required");
  parser("<a> <a>", "duplicate capture name (a): invalid expression");
  auto filter = Pattern::compile_filter("x <foo>");
  ASSERT_FALSE(filter.ok());
  EXPECT_EQ(filter.error().message, "named captures are not allowed: found '<foo>'");
}

TEST(Pattern, Fits) {
  auto f = [](std::string_view text, std::string_view line, bool fits) {
    EXPECT_EQ(Pattern::compile_parser(text)->fits(line), fits) << text << ": " << line;
  };
  f("<a> - <b>", "x - y", true);
  f("<a> - <b>", "x - ", true);
  f("<a> - <b>", " - ", true);
  f("<a> - <b>", "x -y", false);
  f("<a> - <b>", "", false);
  f("[<a>]", "[x]", true);
  f("[<a>]", "[x] and more", true);
  f("[<a>]", "[x", false);
  f("[<a>]", " [x]", false);
  f("<a>", "x", true);
}

TEST(Pattern, Literals) {
  EXPECT_EQ(Pattern::compile_filter("<_> level=error <_>.")->literals(), (std::vector<std::string>{" level=error ", "."}));
  EXPECT_EQ(Pattern::compile_parser("<a> - <_> [<b>]")->names(), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace weir::logql
