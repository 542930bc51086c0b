#include "metrics/time_until_full.h"

#include "metrics/metric.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::metrics {
namespace {

using base::kMinute;
using base::kSecond;

struct Case {
  const char* what;
  std::vector<std::pair<base::Monotonic, std::uint64_t>> measured;  // in seconds
  std::uint64_t limit;
  std::uint64_t seconds;
};

constexpr std::uint64_t kNot = kInfinite;

TEST(TimeUntilFull, GoesByTheRateOfTheLastMinutes) {
  const Case cases[] = {
      {"nothing is known", {}, 100, kNot},
      {"one measurement has no rate", {{0, 50}}, 100, kNot},
      {"too soon to tell", {{0, 10}, {29, 20}}, 100, kNot},
      {"steady", {{0, 10}, {30, 40}}, 100, 60},
      {"steady, with measurements between", {{0, 10}, {3, 13}, {7, 17}, {12, 22}, {20, 30}, {30, 40}}, 100, 60},
      {"constant", {{0, 10}, {60, 10}}, 100, kNot},
      {"it shrinks", {{0, 90}, {60, 10}}, 100, kNot},
      {"it is full", {{0, 100}}, 100, 0},
      {"it is more than full", {{0, 10}, {60, 120}}, 100, 0},
      {"full, and it shrinks", {{0, 120}, {60, 100}}, 100, 0},
      {"long ago it grew", {{0, 0}, {60, 60}, {120, 60}, {300, 60}, {500, 60}}, 100, kNot},
      {"long ago it did not", {{0, 0}, {60, 0}, {400, 0}, {430, 30}}, 100, 70},
      {"centuries", {{0, 0}, {60, 1}}, ~std::uint64_t{0} - 1, kNot},
      {"nothing fits", {{0, 0}}, 0, 0},
  };
  for (const Case& one : cases) {
    TimeUntilFull forecast;
    for (const auto& [at, used] : one.measured) forecast.add(at * kSecond, used);
    EXPECT_EQ(forecast.until(one.limit), one.seconds == kNot ? kNot : one.seconds * kSecond) << one.what;
  }
}

TEST(TimeUntilFull, KeepsFewMeasurementsHoweverOftenItIsCalled) {
  TimeUntilFull forecast;
  // A record a millisecond for an hour; then it grows ten times as fast.
  std::uint64_t used = 0;
  for (base::Monotonic at = 0; at < 60 * kMinute; at += 10 * base::kMillisecond) forecast.add(at, used += 10);
  EXPECT_NEAR(static_cast<double>(forecast.until(used + 60'000)), static_cast<double>(kMinute), 0.01 * kMinute);
  for (base::Monotonic at = 0; at < TimeUntilFull::kOver + kMinute; at += kSecond) forecast.add(60 * kMinute + at, used += 10'000);
  EXPECT_NEAR(static_cast<double>(forecast.until(used + 600'000)), static_cast<double>(kMinute), 0.02 * kMinute);
}

}  // namespace
}  // namespace weir::metrics
