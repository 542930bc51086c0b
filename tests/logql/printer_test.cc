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

}  // namespace
}  // namespace weir::logql
