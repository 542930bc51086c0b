#include "logql/printer.h"

#include "logql/parser.h"

#include <gtest/gtest.h>

namespace weir::logql {
namespace {

TEST(Printer, Pieces) {
  auto parsed = parse(R"({a="b",c=~"d"} |= "x" or "y" | json | lvl=~"[ab]c" | drop e, f="g")");
  ASSERT_TRUE(parsed.ok());
  const auto& log = std::get<LogExpr>(parsed->node);
  EXPECT_EQ(print_selector(log.matchers), R"({a="b", c=~"d"})");
  EXPECT_EQ(print(log.matchers[1]), R"(c=~"d")");
  EXPECT_EQ(print(log.stages[0]), R"(|= "x" or "y")");
  EXPECT_EQ(print(log.stages[1]), "| json");
  EXPECT_EQ(print(log.stages[2]), "| lvl=~`[ab]c`");
  EXPECT_EQ(print(log.stages[3]), R"(| drop e,f="g")");
  EXPECT_EQ(print_selector({}), "{}");
}

TEST(Printer, WhatIsPrintedCanBeReadAgain) {
  const auto f = [](std::string_view query, std::string_view expected) {
    const auto read = [](std::string_view text) { return parse(text, {.selector_optional = true}); };
    auto parsed = read(query);
    ASSERT_TRUE(parsed) << query;
    const std::string printed = print(*parsed);
    EXPECT_EQ(printed, expected);
    auto again = read(printed);
    ASSERT_TRUE(again) << printed;
    EXPECT_TRUE(*again == *parsed) << printed;
  };
  f("{a=`b`} | x > 0KiB", R"({a="b"} | x>0KB)");  // 0B begins a number in base 2
  f("{a=`b`} | x > 2100001B", R"({a="b"} | x>2100001B)");
  f("{a=`b`} | x > 5KB", R"({a="b"} | x>5.0kB)");
  f("{a=`b`} |! =ip(`10.0.0.0/8`)", R"({a="b"} | ! =ip("10.0.0.0/8"))");  // `!` by itself is a name
  f("{a=`b`} | ! = `x` | ! > 5", R"({a="b"} | ! ="x" | ! >5)");
  f("{a=`b`} | json ! = `x` | drop ! = `x`", R"({a="b"} | json ! ="x" | drop ! ="x")");
  f("{a=`b`} | x > -00", R"({a="b"} | x>- 0)");  // -0 is a duration
  f("-00 * vector(1)", "(- 0 * vector(1.000000))");
  f("{a=`b`} | x > 90m", R"({a="b"} | x>1h30m0s)");
}

}  // namespace
}  // namespace weir::logql
