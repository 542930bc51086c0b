#include "rules/repeat_memory.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

namespace weir::rules {
namespace {

using base::kSecond;

// Of which of these times, in seconds, a record passes, with `dedup 10s`.
std::vector<int> passing(const std::vector<int>& times) {
  AgingTable table(100);
  std::vector<int> passed;
  for (const int time : times) {
    if (!is_repetition(table, {1, 2}, time * kSecond, 10 * kSecond)) passed.push_back(time);
  }
  return passed;
}

TEST(RepeatMemory, OfEqualRecordsOnePassesInEachSpan) {
  EXPECT_EQ(passing({0, 1, 2, 9}), (std::vector<int>{0}));
  EXPECT_EQ(passing({0, 9, 10, 19, 20}), (std::vector<int>{0, 10, 20}));
  EXPECT_EQ(passing({8, 12, 17, 18, 27, 28}), (std::vector<int>{8, 18, 28}));  // across the ends of windows
  EXPECT_EQ(passing({-1, 1, 8, 9}), (std::vector<int>{-1, 9}));
}

TEST(RepeatMemory, LateRecordsCountToo) { EXPECT_EQ(passing({20, 11, 10, 15, 1, 0}), (std::vector<int>{20, 10, 0})); }

TEST(RepeatMemory, AWrongTimeStandsInNobodysWay) {
  EXPECT_EQ(passing({0, 1'000'000, 1, 2, 10, 1'000'005, 11}), (std::vector<int>{0, 1'000'000, 10}));
}

TEST(RepeatMemory, KeysAreApart) {
  AgingTable table(100);
  EXPECT_FALSE(is_repetition(table, {1, 1}, 0, kSecond));
  EXPECT_FALSE(is_repetition(table, {1, 2}, 0, kSecond));
  EXPECT_TRUE(is_repetition(table, {1, 1}, 0, kSecond));
}

TEST(RepeatMemory, HasRoomForAllTimes) {
  constexpr auto kFirst = std::numeric_limits<base::Timestamp>::min(), kLast = std::numeric_limits<base::Timestamp>::max();
  for (const base::Duration within : {base::Duration{1}, kSecond, kLast}) {
    AgingTable table(100);
    EXPECT_FALSE(is_repetition(table, {}, kFirst, within));
    EXPECT_FALSE(is_repetition(table, {}, kLast, within));
    EXPECT_TRUE(is_repetition(table, {}, kFirst, within));
    EXPECT_TRUE(is_repetition(table, {}, kLast, within));
  }
}

TEST(RepeatMemory, NoTwoThatPassAreCloserWhateverTheOrder) {
  std::mt19937 random(2);
  AgingTable table(10'000);
  std::vector<base::Timestamp> passed;
  for (int i = 0; i < 3000; ++i) {
    const auto time = static_cast<base::Timestamp>(random() % 1000) * kSecond / 2;
    const bool near = std::any_of(passed.begin(), passed.end(), [&](auto other) { return std::abs(other - time) < 10 * kSecond; });
    EXPECT_EQ(is_repetition(table, {}, time, 10 * kSecond), near);
    if (!near) passed.push_back(time);
  }
}

}  // namespace
}  // namespace weir::rules
