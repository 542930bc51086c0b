#include "base/time_range.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(TimeRange, IsHalfOpen) {
  const TimeRange range = {.from = 5, .to = 7};
  EXPECT_FALSE(range.contains(4));
  EXPECT_TRUE(range.contains(5));
  EXPECT_TRUE(range.contains(6));
  EXPECT_FALSE(range.contains(7));
}

TEST(TimeRange, Touches) {
  const TimeRange range = {.from = 5, .to = 7};
  EXPECT_FALSE(range.touches(1, 4));
  EXPECT_TRUE(range.touches(1, 5));
  EXPECT_TRUE(range.touches(6, 9));
  EXPECT_FALSE(range.touches(7, 9));
}

TEST(TimeRange, IsEverythingWhereNothingIsSaid) {
  EXPECT_TRUE(TimeRange().contains(0));
  EXPECT_TRUE(TimeRange().contains(TimeRange::kBeginning));
}

}  // namespace
}  // namespace weir::base
