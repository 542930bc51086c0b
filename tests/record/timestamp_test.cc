#include "record/timestamp.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace weir::record {
namespace {

TEST(Rfc3339, Success) {
  const auto f = [](std::string_view text, base::Timestamp expected, std::string_view printed) {
    const auto time = parse_rfc3339(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(*time, expected) << text;
    EXPECT_EQ(to_rfc3339(*time), printed) << text;
  };
  f("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z");
  f("2024-05-01T10:00:00.123456789Z", 1714557600123456789, "2024-05-01T10:00:00.123456789Z");
  f("2024-05-01T12:00:00.1234567899999+02:00", 1714557600123456789, "2024-05-01T10:00:00.123456789Z");
  f("2024-05-01 10:00:00.5z", 1714557600500000000, "2024-05-01T10:00:00.5Z");
  f("2024-02-29t00:00:00-00:30", 1709166600000000000, "2024-02-29T00:30:00Z");
  f("2016-12-31T23:59:60Z", 1483228799999999999, "2016-12-31T23:59:59.999999999Z");
  f("1969-12-31T23:59:59.999Z", -1000000, "1969-12-31T23:59:59.999Z");
  f("2261-12-31T23:59:59Z", 9214646399000000000, "2261-12-31T23:59:59Z");
  f("2024-05-01T10:00:00,25Z", 1714557600250000000, "2024-05-01T10:00:00.25Z");
}

TEST(Rfc3339, Failure) {
  for (const char* text :
       {"", "2024-05-01", "2024-05-01T10:00:00", "2024-05-01T10:00:00.Z", "2024-05-01T10:00:00.1", "2024-13-01T10:00:00Z",
        "2024-02-30T10:00:00Z", "2023-02-29T10:00:00Z", "2024-05-01T24:00:00Z", "2024-05-01T10:60:00Z", "2024-05-01T10:00:61Z",
        "2024-05-01T10:00:00+2:00", "2024-05-01T10:00:00+0200", "2024-05-01T10:00:00Z ", "1500-05-01T10:00:00Z",
        "2300-05-01T10:00:00Z", "2024/05/01T10:00:00Z", "2024-05-01X10:00:00Z", "2024-05-01T1a:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Rfc3339, EveryDayOfFourCenturiesRoundTrips) {
  for (base::Timestamp day = -100 * 365; day < 290 * 365; ++day) {
    const base::Timestamp time = day * 24 * base::kHour + 12345678901234;
    const auto back = parse_rfc3339(to_rfc3339(time));
    ASSERT_TRUE(back);
    ASSERT_EQ(*back, time);
  }
}

TEST(Duration, Success) {
  const auto f = [](std::string_view text, base::Duration expected, std::string_view printed) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(*duration, expected) << text;
    EXPECT_EQ(print_duration(*duration), printed) << text;
  };
  f("0", 0, "0s");
  f("90s", 90 * base::kSecond, "1m30s");
  f("1h30m", 90 * base::kMinute, "1h30m");
  f("1.5s", 1500 * base::kMillisecond, "1s500ms");
  f("250ms", 250 * base::kMillisecond, "250ms");
  f("7d", 7 * 24 * base::kHour, "7d");
  f("2w", 14 * 24 * base::kHour, "14d");
  f("1y", 365 * 24 * base::kHour, "365d");
  f("-5m", -5 * base::kMinute, "-5m");
  f("3us", 3000, "3us");
  f("7ns", 7, "7ns");
}

TEST(Duration, Failure) {
  for (const char* text : {"", "5", "m", "1h30", "5 m", "5x", "--5m", "1h-5m", "1e3s", "999999999y"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Time, RelativeAndAbsolute) {
  const base::Timestamp now = 1714557600 * base::kSecond;
  const auto f = [now](std::string_view text, base::Timestamp expected) {
    const auto time = parse_time(text, now);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(*time, expected) << text;
  };
  f("now", now);
  f("1h", now - base::kHour);
  f("7d", now - 7 * 24 * base::kHour);
  f("-10m", now - 10 * base::kMinute);
  f("-1h30m", now - 90 * base::kMinute);
  f("0", now);
  f("2024-05-01T10:00:00Z", now);
  f("1714557600", now);
  f("1714557600000", now);
  f("1714557600000000000", now);
  for (const char* text :
       {"", "yesterday", "10", "2024-05-01T10:00:00+", "25:00", "+10m", "-10", "-", "2023-02-29", "2024-04-31 10:00"}) {
    const auto time = parse_time(text, now);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, base::Code::usage);
    EXPECT_FALSE(time.error().hint.empty());
  }
}

TEST(Time, LocalFormsDifferByWhatTheySay) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const base::Timestamp now = 1714557600 * base::kSecond;  // 10:00
  const auto at = [now](std::string_view text) { return *parse_time(text, now); };
  EXPECT_EQ(at("2024-05-01 10:00") - at("2024-05-01"), 10 * base::kHour);
  EXPECT_EQ(at("2024-05-01 10:00:07") - at("2024-05-01T10:00"), 7 * base::kSecond);
  EXPECT_EQ(at("10:00") - at("09:30"), 30 * base::kMinute);
  EXPECT_EQ(at("10:00"), now);
}

// A time of day is the latest one that was.
TEST(Time, LaterToday) {
  const base::Timestamp now = 1714557600 * base::kSecond;  // 2024-05-01T10:00:00Z
  const auto f = [now](const char* zone, std::string_view text, std::string_view expected) {
    ::setenv("TZ", zone, 1);
    ::tzset();
    const auto time = parse_time(text, now);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(to_rfc3339(*time), expected) << zone << ' ' << text;
  };
  f("UTC", "23:00", "2024-04-30T23:00:00Z");
  f("UTC", "10:00:01", "2024-04-30T10:00:01Z");
  f("UTC", "09:59:59", "2024-05-01T09:59:59Z");
  f("CET-1CEST,M3.5.0,M10.5.0/3", "12:30", "2024-04-30T10:30:00Z");
  f("CET-1CEST,M3.5.0,M10.5.0/3", "11:30", "2024-05-01T09:30:00Z");
  f("UTC", "00:00", "2024-05-01T00:00:00Z");
  ::setenv("TZ", "UTC", 1);
  ::tzset();
}

TEST(Size, Table) {
  const auto f = [](std::string_view text, std::uint64_t expected) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size) << text;
    EXPECT_EQ(*size, expected) << text;
  };
  f("4096", 4096);
  f("64KiB", 65536);
  f("10MB", 10'000'000);
  f("2K", 2048);
  f("1.5GiB", 1610612736);
  f("0", 0);
  f("7b", 7);
  f("1 MiB", 1 << 20);
  for (const char* text : {"", "x", "-1", "1XB", "1KiBs", "99999999999G"}) EXPECT_FALSE(parse_size(text)) << text;
  EXPECT_EQ(print_size(512), "512 B");
  EXPECT_EQ(print_size(1536), "1.5 KiB");
}

}  // namespace
}  // namespace weir::record
