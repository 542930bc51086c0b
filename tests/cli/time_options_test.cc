#include "cli/time_options.h"

#include "cli/value_error.h"
#include "record/timestamp.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <ctime>

namespace weir::cli {
namespace {

using base::kHour;
using base::kMinute;

constexpr base::Timestamp kNow = 1'777'629'600 * base::kSecond;  // 2026-05-01T10:00:00Z

// As it is typed; "" is not given.
struct Typed {
  std::string since = {}, from = {}, to = {};
};

base::Result<TimeFlags> flags_of(const Typed& typed) {
  TimeFlags flags;
  const auto read = [](const std::string& text, std::optional<TimePoint>& out) -> base::Result<void> {
    if (text.empty()) return {};
    auto time = TimePoint::parse(text);
    if (!time) return std::move(time).error();
    out = *time;
    return {};
  };
  for (auto ok : {read(typed.since, flags.since), read(typed.from, flags.from), read(typed.to, flags.to)}) {
    if (!ok) return std::move(ok).error();
  }
  return flags;
}

base::Result<base::TimeRange> time_range(const Typed& typed, base::Timestamp now) {
  auto flags = flags_of(typed);
  if (!flags) return std::move(flags).error();
  return cli::time_range(*flags, now);
}

TEST(TimeRange, Success) {
  const auto f = [](const Typed& flags, base::Timestamp from, base::Timestamp to) {
    const auto range = time_range(flags, kNow);
    ASSERT_TRUE(range.ok()) << range.error().message;
    EXPECT_EQ(range->from, from);
    EXPECT_EQ(range->to, to);
  };
  f({}, base::TimeRange::kBeginning, base::TimeRange::kForever);
  f({.since = "1h"}, kNow - kHour, base::TimeRange::kForever);
  f({.since = "7d"}, kNow - 7 * 24 * kHour, base::TimeRange::kForever);
  f({.since = "2026-05-01T09:30:00Z"}, kNow - 30 * kMinute, base::TimeRange::kForever);
  f({.from = "2h", .to = "1h"}, kNow - 2 * kHour, kNow - kHour);
  f({.since = "2h", .to = "now"}, kNow - 2 * kHour, kNow);
  f({.from = "2026-05-01T11:00:00+02:00", .to = "2026-05-01T09:00:00.000000001Z"}, kNow - kHour, kNow - kHour + 1);
  f({.to = "1777629600"}, base::TimeRange::kBeginning, kNow);
  // As people type it who think of the way back.
  f({.from = "-2h", .to = "-5m"}, kNow - 2 * kHour, kNow - 5 * kMinute);
}

// It is ten in the morning.
TEST(TimeRange, TimesOfDay) {
  constexpr base::Duration day = 24 * kHour;
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const auto f = [](const Typed& flags, base::Timestamp from, base::Timestamp to) {
    const auto range = time_range(flags, kNow);
    ASSERT_TRUE(range.ok()) << range.error().message;
    EXPECT_EQ(range->from, from) << flags.from << ' ' << flags.to;
    EXPECT_EQ(range->to, to) << flags.from << ' ' << flags.to;
  };
  const auto at = [](base::Duration of_day) { return kNow - 10 * kHour + of_day; };
  f({.from = "23:00"}, at(23 * kHour) - day, base::TimeRange::kForever);
  f({.from = "09:59"}, at(10 * kHour - kMinute), base::TimeRange::kForever);
  f({.from = "10:00"}, kNow, base::TimeRange::kForever);
  f({.since = "10:01"}, at(10 * kHour + kMinute) - day, base::TimeRange::kForever);
  f({.to = "23:00"}, base::TimeRange::kBeginning, at(23 * kHour) - day);
  f({.from = "22:00", .to = "23:00"}, at(22 * kHour) - day, at(23 * kHour) - day);
  f({.from = "22:00", .to = "02:00"}, at(22 * kHour) - day, at(2 * kHour));
  f({.from = "08:00", .to = "12:00"}, at(8 * kHour), at(12 * kHour));
  f({.from = "08:00", .to = "22:00"}, at(8 * kHour), at(22 * kHour));
  f({.from = "2d", .to = "12:00"}, kNow - 2 * day, at(12 * kHour) - day);
  EXPECT_FALSE(time_range({.from = "09:00", .to = "09:00"}, kNow).ok());
}

TEST(TimeRange, Failure) {
  const auto f = [](const Typed& flags, std::string_view text) {
    const auto range = time_range(flags, kNow);
    ASSERT_FALSE(range.ok()) << text;
    EXPECT_EQ(range.error().code, base::Code::usage) << text;
    EXPECT_NE(range.error().message.find(text), std::string::npos) << range.error().message;
  };
  f({.since = "1h", .from = "2h"}, "--since together with --from");
  f({.from = "1h", .to = "2h"}, "the end is not after the start");
  f({.from = "09:50", .to = "09:49"}, "--to 09:49 is before --from 09:50");
  f({.since = "1h", .to = "08:30"}, "--to 08:30 is before --since 09:00");
  f({.from = "23:59", .to = "23:58"}, "--to 23:58 is before --from 23:59");
  f({.from = "1h", .to = "1h"}, "the end is not after the start");
  f({.since = "yesterday"}, "it is not a time");
  f({.from = "15"}, "it has no unit");
  f({.to = "25:61"}, "it is not a time");
  f({.to = "+5m"}, "it lies in the future");
  f({.to = "2300-01-01"}, "it is out of range");
  f({.since = "99999999h"}, "it is out of range");
}

TEST(TimePoint, IsOneWhateverTheClockSays) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  for (const char* text : {"23:59:59", "00:00", "now", "15m", "1970-01-01", "2026-05-01T10:00:00Z"})
    EXPECT_TRUE(TimePoint::parse(text)) << text;
  const auto time = TimePoint::parse("23:59:59");
  EXPECT_EQ(time->at(kNow), kNow - 10 * kHour - base::kSecond);
  EXPECT_EQ(time->at(kNow + 24 * kHour), kNow + 14 * kHour - base::kSecond);
}

TEST(TimeOptions, AreParsed) {
  CLI::App app;
  TimeFlags flags;
  EXPECT_FALSE(flags.given());
  declare_time(app, flags, "1h");
  app.parse("--since 15m --to now");
  EXPECT_TRUE(flags.given());
  ASSERT_TRUE(flags.since && flags.to);
  EXPECT_FALSE(flags.from);
  EXPECT_EQ(flags.since->at(kNow), kNow - 15 * kMinute);
  EXPECT_EQ(flags.to->at(kNow), kNow);
}

TEST(TimeFlags, ALengthIsNotNegative) {
  for (const char* text : {"-5m", "-1h30m"}) {
    CLI::App app;
    TimeFlags flags;
    declare_time(app, flags, "");
    try {
      app.parse(std::vector<std::string>{text, "--since"});
      ADD_FAILURE() << text;
    } catch (const ValueError& error) {
      EXPECT_EQ(error.error.message, fmt::format("cannot use '{}' for --since: it is negative", text));
      EXPECT_EQ(error.error.hint, fmt::format("--since {0} is the last {0}", text + 1));
    }
  }
}

}  // namespace
}  // namespace weir::cli
