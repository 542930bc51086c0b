#include "show/series.h"

#include "show/answer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weir::show {
namespace {

using base::kSecond;
using test::kMorning;

SeriesSet gathered(test::Answer& answer) {
  SeriesSet set;
  for (const record::Record& record : answer.batch.records) EXPECT_TRUE(set.add(record));
  return set;
}

TEST(Series, OverTime) {
  test::Answer answer;
  answer.add_sample(kMorning, "1", {{"app", "x"}, {"pod", "a"}});
  answer.add_sample(kMorning + 15 * kSecond, "NaN", {{"app", "x"}, {"pod", "a"}});
  answer.add_sample(kMorning + 30 * kSecond, "3", {{"app", "x"}, {"pod", "a"}});
  answer.add_sample(kMorning, "+Inf", {{"app", "x"}, {"node", "n"}});
  const SeriesSet set = gathered(answer);
  EXPECT_EQ(set.all().size(), 2U);
  EXPECT_EQ(set.points(), 4U);
  EXPECT_FALSE(set.is_instant());
  EXPECT_EQ(set.step(), 15 * kSecond);
  EXPECT_EQ(set.shared(), R"({app="x"})");
  EXPECT_EQ(set.differing(), (std::vector<std::string>{"node", "pod"}));
  const Extent extent = extent_of(set.all()[0]);
  EXPECT_EQ(extent.numbers, 2U);
  EXPECT_EQ(extent.mean(), 2);
  EXPECT_EQ(extent.last, 3);
  EXPECT_EQ(extent_of(set.all()[1]).numbers, 0U);
}

TEST(Series, AtOneTime) {
  test::Answer answer;
  answer.add_sample(kMorning, "1.5", {});
  const SeriesSet set = gathered(answer);
  EXPECT_TRUE(set.is_instant());
  EXPECT_EQ(set.shared(), "");
  EXPECT_TRUE(set.differing().empty());
  EXPECT_EQ(set.all()[0].text, "1.5");
}

TEST(Series, ShortNumbers) {
  const auto f = [](double value, const std::string& text) { EXPECT_EQ(short_number(value), text); };
  f(0, "0");
  f(-0.5, "-0.5");
  f(1.0 / 3, "0.3333");
  f(0.06666666, "0.06667");
  f(0.00001234, "1.23e-05");
  f(1234, "1234");
  f(9999.4, "9999");
  f(9999.96, "10k");
  f(10000, "10k");
  f(123456, "123.5k");
  f(12500000, "12.5M");
  f(-3e9, "-3G");
  f(2.5e12, "2.5T");
  f(1e18, "1e+18");
  f(std::numeric_limits<double>::infinity(), "+Inf");
  f(std::nan(""), "NaN");
}

}  // namespace
}  // namespace weir::show
