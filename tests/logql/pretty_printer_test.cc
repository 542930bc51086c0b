// What a real Loki prints for the same queries is compared in tests/loki/real/serve_query_test.py.
#include "logql/pretty_printer.h"

#include "logql/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weir::logql {
namespace {

std::string pretty(std::string_view query) {
  auto parsed = parse(query);
  if (!parsed) return "error: " + parsed.error().message;
  std::string text = print_pretty(*parsed);
  auto again = parse(text);
  EXPECT_TRUE(again && *again == *parsed) << text;
  return text;
}

const std::string kLong(90, 'x');

TEST(PrettyPrinter, ShortQueriesStayInOneLine) {
  EXPECT_EQ(pretty(R"({a="b"}|="x"|json)"), R"({a="b"} |= "x" | json)");
  EXPECT_EQ(pretty(R"(sum(rate({a="b"}[5m]))by(c))"), R"(sum by (c)(rate({a="b"}[5m])))");
}

TEST(PrettyPrinter, StagesHaveLines) {
  EXPECT_EQ(pretty(R"({a="b"} |= "1" != "2" | json |~ ")" + kLong + R"(" |= "3" | decolorize | c > 5 or d = "e")"),
            "{a=\"b\"}\n"
            "  |= \"1\" != \"2\"\n"
            "  | json\n"
            "  |~ \"" +
                kLong +
                "\"\n"
                "  |= \"3\"\n"
                "| decolorize\n"
                "  | ( c>5 or d=\"e\" )");
}

TEST(PrettyPrinter, Aggregations) {
  EXPECT_EQ(pretty(R"(topk(3, quantile_over_time(0.95, {a=")" + kLong +
                   R"("} | json | unwrap duration(took) | __error__="" [5m] offset 1h) by (c, d)) by (c))"),
            "topk by (c)(\n"
            "  3,\n"
            "  quantile_over_time(\n"
            "    0.95,\n"
            "    {a=\"" +
                kLong +
                "\"}\n"
                "      | json\n"
                "      | unwrap duration(took)\n"
                "      | __error__=\"\" [5m] offset 1h\n"
                "  ) by (c, d)\n"
                ")");
}

TEST(PrettyPrinter, WhatLokiLosesIsThere) {
  const std::string rate = "rate({a=\"" + kLong + "\"}[5m])";
  EXPECT_EQ(pretty("(" + rate + " + " + rate + ") * 2"),
            "  (\n"
            "      rate(\n"
            "        {a=\"" +
                kLong +
                "\"} [5m]\n"
                "      )\n"
                "    +\n"
                "      rate(\n"
                "        {a=\"" +
                kLong +
                "\"} [5m]\n"
                "      )\n"
                "  )\n"
                "*\n"
                "  2");
  EXPECT_EQ(pretty("{a=\"b\"} |= \"" + kLong + "\" |= \"1\" or \"2\""), "{a=\"b\"}\n  |= \"" + kLong + "\"\n  |= \"1\" or \"2\"");
}

}  // namespace
}  // namespace weir::logql
