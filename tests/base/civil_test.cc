#include "base/civil.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(Civil, DaysAndDates) {
  const auto f = [](std::int64_t days, CivilDate date) {
    EXPECT_EQ(days_from_civil(date.year, date.month, date.day), days);
    EXPECT_EQ(civil_from_days(days), date) << days;
  };
  f(0, {1970, 1, 1});
  f(-1, {1969, 12, 31});
  f(11'016, {2000, 2, 29});
  f(11'017, {2000, 3, 1});
  f(-719'468, {0, 3, 1});
  f(-719'469, {0, 2, 29});
  f(2'932'896, {9999, 12, 31});
  f(-25'508, {1900, 3, 1});
}

TEST(Civil, EveryDayOfFourCenturiesFollowsTheOneBefore) {
  CivilDate expected{1800, 1, 1};
  const std::int64_t first = days_from_civil(1800, 1, 1);
  for (std::int64_t day = first; day < first + 146'097; ++day) {
    ASSERT_EQ(civil_from_days(day), expected) << day;
    ASSERT_EQ(days_from_civil(expected.year, expected.month, expected.day), day);
    if (++expected.day <= days_in_month(expected.year, expected.month)) continue;
    expected.day = 1;
    if (++expected.month <= 12) continue;
    expected.month = 1;
    ++expected.year;
  }
}

}  // namespace
}  // namespace weir::base
