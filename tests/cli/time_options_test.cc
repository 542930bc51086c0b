#include "cli/time_options.h"

#include "record/timestamp.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <ctime>

namespace weir::cli {
namespace {

using base::kHour;
using base::kMinute;

constexpr base::Timestamp kNow = 1'777'629'600 * base::kSecond;  // 2026-05-01T10:00:00Z

TEST(TimeRange, Success) {
  const auto f = [](const TimeFlags& flags, base::Timestamp from, base::Timestamp to) {
    const auto range = time_range(flags, kNow);
    ASSERT_TRUE(range.ok()) << range.error().message;
    EXPECT_EQ(range->from, from);
    EXPECT_EQ(range->to, to);
  };
  f({}, TimeRange::kBeginning, TimeRange::kForever);
  f({.since = "1h"}, kNow - kHour, TimeRange::kForever);
  f({.since = "7d"}, kNow - 7 * 24 * kHour, TimeRange::kForever);
  f({.since = "2026-05-01T09:30:00Z"}, kNow - 30 * kMinute, TimeRange::kForever);
  f({.from = "2h", .to = "1h"}, kNow - 2 * kHour, kNow - kHour);
  f({.since = "2h", .to = "now"}, kNow - 2 * kHour, kNow);
  f({.from = "2026-05-01T11:00:00+02:00", .to = "2026-05-01T09:00:00.000000001Z"}, kNow - kHour, kNow - kHour + 1);
  f({.to = "1777629600"}, TimeRange::kBeginning, kNow);
  // As people type it who think of the way back.
  f({.since = "-10m"}, kNow - 10 * kMinute, TimeRange::kForever);
  f({.from = "-2h", .to = "-5m"}, kNow - 2 * kHour, kNow - 5 * kMinute);
}

// It is ten in the morning.
TEST(TimeRange, TimesOfDay) {
  constexpr base::Duration day = 24 * kHour;
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const auto f = [](const TimeFlags& flags, base::Timestamp from, base::Timestamp to) {
    const auto range = time_range(flags, kNow);
    ASSERT_TRUE(range.ok()) << range.error().message;
    EXPECT_EQ(range->from, from) << flags.from << ' ' << flags.to;
    EXPECT_EQ(range->to, to) << flags.from << ' ' << flags.to;
  };
  const auto at = [](base::Duration of_day) { return kNow - 10 * kHour + of_day; };
  f({.from = "23:00"}, at(23 * kHour) - day, TimeRange::kForever);
  f({.from = "09:59"}, at(10 * kHour - kMinute), TimeRange::kForever);
  f({.from = "10:00"}, kNow, TimeRange::kForever);
  f({.since = "10:01"}, at(10 * kHour + kMinute) - day, TimeRange::kForever);
  f({.to = "23:00"}, TimeRange::kBeginning, at(23 * kHour) - day);
  f({.from = "22:00", .to = "23:00"}, at(22 * kHour) - day, at(23 * kHour) - day);
  f({.from = "22:00", .to = "02:00"}, at(22 * kHour) - day, at(2 * kHour));
  f({.from = "08:00", .to = "12:00"}, at(8 * kHour), at(12 * kHour));
  f({.from = "2d", .to = "12:00"}, kNow - 2 * day, at(12 * kHour) - day);
  EXPECT_FALSE(time_range({.from = "09:00", .to = "09:00"}, kNow).ok());
}

TEST(TimeRange, Failure) {
  const auto f = [](const TimeFlags& flags, std::string_view text) {
    const auto range = time_range(flags, kNow);
    ASSERT_FALSE(range.ok()) << text;
    EXPECT_EQ(range.error().code, base::Code::usage) << text;
    EXPECT_NE(range.error().message.find(text), std::string::npos) << range.error().message;
  };
  f({.since = "1h", .from = "2h"}, "--since together with --from");
  f({.from = "1h", .to = "2h"}, "the end is not after the beginning");
  f({.from = "1h", .to = "1h"}, "the end is not after the beginning");
  f({.since = "yesterday"}, "--since");
  f({.from = "15"}, "--from");
  f({.to = "25:61"}, "--to");
  f({.to = "+5m"}, "it lies in the future");
}

TEST(TimeRange, IsHalfOpen) {
  const TimeRange range = {.from = 5, .to = 7};
  EXPECT_FALSE(range.contains(4));
  EXPECT_TRUE(range.contains(5));
  EXPECT_TRUE(range.contains(6));
  EXPECT_FALSE(range.contains(7));
}

TEST(TimeOptions, AreParsed) {
  CLI::App app;
  TimeFlags flags;
  EXPECT_FALSE(flags.given());
  declare_time(app, flags, "1h");
  app.parse("--since 15m --to now");
  EXPECT_TRUE(flags.given());
  EXPECT_EQ(flags.since, "15m");
  EXPECT_EQ(flags.to, "now");
}

}  // namespace
}  // namespace weir::cli
