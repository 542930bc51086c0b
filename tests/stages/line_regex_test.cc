#include "stages/line_regex.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

TEST(LineRegex, FindsFirstLines) {
  const auto regex = make_line_regex(R"(^\d{4}-\d\d-\d\d )");
  ASSERT_TRUE(regex);
  EXPECT_TRUE((*regex)->is_first("2026-11-30 INFO started"));
  EXPECT_FALSE((*regex)->is_first(" 2026-11-30 INFO started"));
  EXPECT_FALSE((*regex)->is_first("\tat shop.Main.main(Main.java:3)"));
  EXPECT_FALSE((*regex)->is_first(""));
}

TEST(LineRegex, TakesBytesThatAreNoText) {
  const auto regex = make_line_regex("^.{3}$");
  ASSERT_TRUE(regex);
  EXPECT_TRUE(
      (*regex)->is_first("a\xff"
                         "b"));
}

TEST(LineRegex, RefusesWhatIsNoExpression) {
  const auto regex = make_line_regex("^[");
  ASSERT_FALSE(regex);
  EXPECT_EQ(regex.error().message, "error parsing regexp: missing closing ]: `[`");
  const auto large = make_line_regex(std::string(6000, '('));
  ASSERT_FALSE(large);
  EXPECT_LT(large.error().message.size(), 200U);
}

}  // namespace
}  // namespace weir::stages
