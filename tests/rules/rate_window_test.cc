#include "rules/rate_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

namespace weir::rules {
namespace {

using base::kHour;
using base::kMinute;
using base::kSecond;

constexpr base::Timestamp kLate = std::numeric_limits<base::Timestamp>::max();

Limit limit(std::uint64_t amount, base::Duration per, std::uint64_t burst) {
  return {amount, Limit::Unit::records, per, burst, {}};
}

TEST(RateWindows, AreBurstDividedByRateLong) {
  EXPECT_EQ(RateWindows(limit(100, kSecond, 100)).length(), kSecond);
  EXPECT_EQ(RateWindows(limit(100, kSecond, 500)).length(), 5 * kSecond);
  EXPECT_EQ(RateWindows(limit(60, kMinute, 90)).length(), 90 * kSecond);
  EXPECT_EQ(RateWindows(limit(1, kHour, 1)).length(), kHour);
  EXPECT_EQ(RateWindows(limit(10ULL << 40, kHour, 20ULL << 40)).length(), 2 * kHour);
  EXPECT_EQ(RateWindows(limit(1, kHour, ~std::uint64_t{0})).length(), kLate);
}

TEST(RateWindows, HoldTheTimesBetweenTheirEnds) {
  const RateWindows windows(limit(10, kSecond, 100));  // 10 s
  EXPECT_EQ(windows.at(0, kLate), (Window{0, 0, 10 * kSecond}));
  EXPECT_EQ(windows.at(10 * kSecond - 1, kLate), (Window{0, 0, 10 * kSecond}));
  EXPECT_EQ(windows.at(10 * kSecond, kLate), (Window{1, 10 * kSecond, 20 * kSecond}));
  EXPECT_EQ(windows.at(-1, kLate), (Window{-1, -10 * kSecond, 0}));
}

TEST(RateWindows, OfTheFutureCountAsNow) {
  const RateWindows windows(limit(10, kSecond, 10));
  const base::Timestamp now = 1000 * kSecond;
  EXPECT_EQ(windows.at(1010 * kSecond + kSecond / 2, now).index, 1010);
  EXPECT_EQ(windows.at(1011 * kSecond, now).index, 1000);
  EXPECT_EQ(windows.at(kLate, now).index, 1000);
  EXPECT_EQ(windows.at(kLate, std::numeric_limits<base::Timestamp>::min() + 1).begin, std::numeric_limits<base::Timestamp>::min());
}

TEST(RateWindows, AdmitABurstInEach) {
  const RateWindows windows(limit(1, kSecond, 3));
  AgingTable table(10);
  int admitted[2] = {};
  for (int i = 0; i < 10; ++i) {
    for (const int w : {0, 1}) admitted[w] += windows.admit(table, {}, windows.at(w * 3 * kSecond, kLate), 1);
  }
  EXPECT_EQ(admitted[0], 3);
  EXPECT_EQ(admitted[1], 3);
  EXPECT_TRUE(windows.admit(table, {1, 1}, windows.at(0, kLate), 1)) << "another key";
}

TEST(RateWindows, ArrivalOrderChangesNotHowManyPass) {
  const RateWindows windows(limit(2, kSecond, 6));
  std::mt19937 random(1);
  std::vector<base::Timestamp> times(500);
  for (base::Timestamp& time : times) time = static_cast<base::Timestamp>(random() % 60) * kSecond;
  const auto passing = [&] {
    AgingTable table(1000);
    return std::count_if(times.begin(), times.end(),
                         [&](auto time) { return windows.admit(table, {}, windows.at(time, kLate), 1); });
  };
  const auto in_order = passing();
  EXPECT_LT(in_order, 500);
  for (int i = 0; i < 5; ++i) {
    std::shuffle(times.begin(), times.end(), random);
    EXPECT_EQ(passing(), in_order);
  }
}

TEST(RateWindows, CountBytes) {
  const RateWindows windows(limit(100, kSecond, 100));
  AgingTable table(10);
  const Window window = windows.at(0, kLate);
  EXPECT_TRUE(windows.admit(table, {}, window, 60));
  EXPECT_FALSE(windows.admit(table, {}, window, 41));
  EXPECT_TRUE(windows.admit(table, {}, window, 40));
  EXPECT_FALSE(windows.admit(table, {}, window, 1));
  EXPECT_TRUE(windows.admit(table, {}, window, 0));
}

TEST(RateWindows, WhatIsLargerThanAWindowPassesAsItsFirst) {
  const RateWindows windows(limit(100, kSecond, 100));
  AgingTable table(10);
  EXPECT_TRUE(windows.admit(table, {}, windows.at(0, kLate), 500));
  EXPECT_FALSE(windows.admit(table, {}, windows.at(0, kLate), 1));
  EXPECT_FALSE(windows.admit(table, {}, windows.at(0, kLate), ~std::uint64_t{0}));
  EXPECT_TRUE(windows.admit(table, {}, windows.at(kSecond, kLate), 0));
  EXPECT_TRUE(windows.admit(table, {}, windows.at(kSecond, kLate), 500)) << "an empty line is no first one";
}

}  // namespace
}  // namespace weir::rules
