#include "show/table.h"

#include "show/columns.h"
#include "show/screen.h"

#include <gtest/gtest.h>

#include <numeric>

namespace weir::show {
namespace {

TEST(Table, Aligns) {
  Table table({{.head = "VALUE", .right = true}, {.head = "POD"}, {.head = "NODE"}});
  table.add({"1", "中文", "a"});
  table.add({"123456", "cart-1", ""});
  EXPECT_EQ(table.text({}),
            " VALUE POD    NODE\n"
            "     1 中文   a\n"
            "123456 cart-1\n");
  EXPECT_EQ(table.text({.color = true}, false),
            "     1 中文   a\n"
            "123456 cart-1\n");
}

TEST(Table, FitsTheScreen) {
  Table table(
      {{.head = "VALUE", .right = true}, {.head = "POD", .right = false, .style = Style::red}, {.head = "NODE"}, {.head = "ZONE"}});
  table.add({"1", std::string(50, 'p'), std::string(30, 'n'), "z"});
  for (std::size_t width = 1; width < 120; ++width) test::expect_fits(table.text({.width = width, .color = true}), width);
  EXPECT_EQ(table.text({.width = 40}),
            "VALUE POD            NODE           ZONE\n"
            "    1 ppppppp…pppppp nnnnnnn…nnnnnn z\n");
}

TEST(Table, NumbersStandWithTheirPointsBelowEachOther) {
  Table table({{.head = "VALUE", .right = true}, {.head = "POD"}, {.head = "MEAN", .right = true}});
  table.add({"1,234", "a", "NaN"});
  table.add({"0.25", "b", "1.5k"});
  table.add({"-12.5", "c", "-"});
  EXPECT_EQ(table.text({}),
            "   VALUE POD   MEAN\n"
            "1,234    a   NaN\n"
            "    0.25 b     1.5k\n"
            "  -12.5  c     -\n");
}

TEST(Table, Fit) {
  const auto f = [](std::vector<std::size_t> widths, std::size_t width, const std::vector<std::size_t>& fitted) {
    Table::fit(widths, width);
    EXPECT_EQ(widths, fitted);
  };
  f({5, 5}, 11, {5, 5});
  f({5, 50}, 40, {5, 34});
  f({50, 50}, 41, {20, 20});
  f({50, 50, 50}, 20, {8, 8, 0});
  f({50}, 5, {5});
  f({}, 5, {});
}

}  // namespace
}  // namespace weir::show
