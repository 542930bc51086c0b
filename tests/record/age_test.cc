#include "record/age.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir::record {
namespace {

using base::kHour;
using base::kMinute;
using base::kSecond;

constexpr base::Duration kDay = 24 * kHour;
constexpr base::Timestamp kNow = 1'777'629'600 * kSecond;

TEST(Age, InWords) {
  const auto f = [](base::Duration duration, std::string_view wanted) { EXPECT_EQ(in_words(duration), wanted) << duration; };
  f(0, "0 seconds");
  f(kSecond - 1, "0 seconds");
  f(kSecond, "1 second");
  f(59 * kSecond, "59 seconds");
  f(kMinute, "1 minute");
  f(kMinute + 5 * kSecond, "1 minute 5 seconds");
  f(24 * kMinute + 5 * kSecond, "24 minutes");
  f(110 * kMinute, "1 hour 50 minutes");
  f(kHour + 59 * kSecond, "1 hour");
  f(6 * kDay, "6 days");
  f(6 * kDay + 3 * kHour, "6 days 3 hours");
  f(45 * kDay + 3 * kHour, "45 days");
  f(366 * kDay, "1 year 1 day");
  f(-2 * kMinute, "2 minutes");
  f(std::numeric_limits<base::Duration>::min(), "292 years");
}

TEST(Age, OfThePastAndTheFuture) {
  const auto f = [](base::Timestamp time, std::string_view wanted) { EXPECT_EQ(age_in_words(time, kNow), wanted) << time; };
  f(kNow, "now");
  f(kNow - kSecond / 2, "now");
  f(kNow + kSecond / 2, "now");
  f(kNow - 3 * kSecond, "3 seconds ago");
  f(kNow - 24 * kMinute, "24 minutes ago");
  f(kNow + 6 * kDay, "in 6 days");
  f(std::numeric_limits<base::Timestamp>::min(), "292 years ago");
  f(std::numeric_limits<base::Timestamp>::max(), "in 236 years");
}

}  // namespace
}  // namespace weir::record
