#include "logql/rewrite.h"

#include "logql/parser.h"
#include "logql/printer.h"

#include <gtest/gtest.h>

namespace weir::logql {
namespace {

TEST(Rewrite, NarrowsEverySelector) {
  const auto f = [](std::string_view query, std::string_view expected) {
    auto expr = parse(query, {.selector_optional = true});
    ASSERT_TRUE(expr.ok()) << query;
    narrow(*expr, {{"n", MatchOp::equal, "1"}, {"p", MatchOp::regex, "a|b"}});
    EXPECT_EQ(print(*expr), expected) << query;
    EXPECT_TRUE(parse(expected).ok()) << expected;
  };
  f("", R"({n="1", p=~"a|b"})");
  f(R"(|= "x")", R"({n="1", p=~"a|b"} |= "x")");
  f(R"({a="{"} | json)", R"({n="1", p=~"a|b", a="{"} | json)");
  f(R"(sum by (x) (rate({a="b"}[1m])) / 2)", R"((sum by (x)(rate({n="1", p=~"a|b", a="b"}[1m])) / 2))");
  f(R"(label_replace(rate({a="b"}[1m]), "d", "$1", "s", "r") or vector(1))",
    R"((label_replace(rate({n="1", p=~"a|b", a="b"}[1m]),"d","$1","s","r") or vector(1.000000)))");
  f("vector(1)", "vector(1.000000)");
  f("1 + 1", "2");
}

}  // namespace
}  // namespace weir::logql
