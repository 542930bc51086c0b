#include "stages/hold_relief.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using base::kMillisecond;
using base::kSecond;

TEST(HoldRelief, ShedsAfterASlowCommitUntilThePauseIsOver) {
  HoldRelief relief;
  EXPECT_FALSE(relief.sheds(0));
  EXPECT_FALSE(relief.committed(2 * kSecond, 100 * kSecond)) << "it must take longer";
  EXPECT_FALSE(relief.sheds(100 * kSecond));
  EXPECT_TRUE(relief.committed(2 * kSecond + kMillisecond, 100 * kSecond));
  EXPECT_TRUE(relief.sheds(100 * kSecond));
  EXPECT_TRUE(relief.sheds(130 * kSecond - 1));
  EXPECT_FALSE(relief.sheds(130 * kSecond));
}

TEST(HoldRelief, AnotherSlowCommitMakesThePauseLongerAndSaysNothing) {
  HoldRelief relief;
  EXPECT_TRUE(relief.committed(3 * kSecond, 100 * kSecond));
  EXPECT_FALSE(relief.committed(3 * kSecond, 120 * kSecond));
  EXPECT_TRUE(relief.sheds(149 * kSecond));
  EXPECT_FALSE(relief.committed(kSecond, 140 * kSecond)) << "a quick one without held records proves nothing";
  EXPECT_TRUE(relief.sheds(149 * kSecond));
  EXPECT_TRUE(relief.committed(3 * kSecond, 150 * kSecond)) << "it begins anew";
}

}  // namespace
}  // namespace weir::stages
