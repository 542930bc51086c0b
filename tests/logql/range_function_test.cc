#include "logql/range_function.h"

#include "gotext/quantity.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace weir::logql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string result(std::string_view name, const std::vector<double>& values, double parameter = 0, bool unwraps = true) {
  const RangeFunction function(name, parameter, unwraps, 10 * base::kSecond);
  RangeFunction::Window window;
  EXPECT_TRUE(window.empty());
  std::vector<MetricPoint> samples;
  for (std::size_t i = 0; i < values.size(); ++i) {
    samples.push_back({static_cast<base::Timestamp>(i) * base::kSecond, values[i]});
    function.add(window, samples.back());
  }
  if (!function.needs_samples()) samples.clear();
  return gotext::print_float_f(function.result(window, samples));
}

TEST(RangeFunction, OfValues) {
  EXPECT_EQ(result("sum_over_time", {1, 2, 4}), "7");
  EXPECT_EQ(result("rate", {1, 2, 4}), "0.7");
  EXPECT_EQ(result("rate", {1, 2, 4}, 0, false), "0.3");
  EXPECT_EQ(result("count_over_time", {1, 2, 4}, 0, false), "3");
  EXPECT_EQ(result("bytes_over_time", {1, 2, 4}, 0, false), "7");
  EXPECT_EQ(result("bytes_rate", {1, 2, 4}, 0, false), "0.7");
  EXPECT_EQ(result("avg_over_time", {1, 2, 6}), "3");
  EXPECT_EQ(result("min_over_time", {2, 1, 4}), "1");
  EXPECT_EQ(result("max_over_time", {2, 1, 4}), "4");
  EXPECT_EQ(result("stddev_over_time", {1, 3}), "1");
  EXPECT_EQ(result("stdvar_over_time", {1, 5}), "4");
  EXPECT_EQ(result("first_over_time", {3, 1, 2}), "3");
  EXPECT_EQ(result("last_over_time", {3, 1, 2}), "2");
  EXPECT_EQ(result("absent_over_time", {3}), "1");
}

TEST(RangeFunction, Quantiles) {
  EXPECT_EQ(result("quantile_over_time", {3, 1, 2}, 0.5), "2");
  EXPECT_EQ(result("quantile_over_time", {3, 1, 2, 4}, 0.5), "2.5");
  EXPECT_EQ(result("quantile_over_time", {3, 1, 2}, 0), "1");
  EXPECT_EQ(result("quantile_over_time", {3, 1, 2}, 1), "3");
  EXPECT_EQ(result("quantile_over_time", {3, 1, 2}, -0.1), "-Inf");
  EXPECT_EQ(result("quantile_over_time", {3, 1, 2}, 1.1), "+Inf");
}

TEST(RangeFunction, WhatIsNoNumber) {
  EXPECT_EQ(result("avg_over_time", {kInf, 1}), "+Inf");
  EXPECT_EQ(result("avg_over_time", {kInf, -kInf}), "NaN");
  EXPECT_EQ(result("max_over_time", {kNan, 1}), "1");
  EXPECT_EQ(result("max_over_time", {1, kNan}), "1");
  EXPECT_EQ(result("min_over_time", {kNan, 1}), "1");
}

TEST(RangeFunction, CountersGoOnAfterAReset) {
  EXPECT_EQ(result("rate_counter", {5}), "0");
  EXPECT_EQ(result("rate_counter", {4, 4}), "0");
  // 2, then a reset, then 3: an increase of 5 in ten seconds.
  EXPECT_EQ(result("rate_counter", {0, 2, 0, 3}), "0.5");
  EXPECT_EQ(result("rate_counter", {0, 2, 3}), "0.3");
}

}  // namespace
}  // namespace weir::logql
