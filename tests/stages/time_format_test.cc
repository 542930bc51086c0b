#include "stages/time_format.h"

#include "record/timestamp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::stages {
namespace {

const base::Timestamp kNear = *record::parse_rfc3339("2026-01-02T00:00:00Z");

std::string read(std::string_view format, std::string_view value, base::Timestamp near = kNear) {
  auto parsed = TimeFormat::parse(format);
  if (!parsed) return "no format: " + parsed.error().message;
  const auto time = parsed->read(value, near);
  return time ? record::to_rfc3339(*time) : "none";
}

TEST(TimeFormat, Forms) {
  const auto f = [](std::string_view format, std::string_view value, std::string_view time) {
    EXPECT_EQ(read(format, value), time) << format << ": " << value;
  };
  f("rfc3339", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z");
  f("rfc3339", "2024-05-01 12:00:00.123456789+02:00", "2024-05-01T10:00:00.123456789Z");
  f("RFC3339Nano", "2024-05-01T10:00:00.5Z", "2024-05-01T10:00:00.5Z");
  f("unix", "1714557600", "2024-05-01T10:00:00Z");
  f("unix", "1714557600.1234567891", "2024-05-01T10:00:00.123456789Z");
  f("Unix", "1714557600", "2024-05-01T10:00:00Z");
  f("unix_ms", "1714557600123", "2024-05-01T10:00:00.123Z");
  f("UnixMs", "1714557600123.25", "2024-05-01T10:00:00.12325Z");
  f("unix_us", "1714557600123456", "2024-05-01T10:00:00.123456Z");
  f("unix_ns", "1714557600123456789", "2024-05-01T10:00:00.123456789Z");
  f("2006-01-02 15:04:05.000", "2024-05-01 10:00:00.250", "2024-05-01T10:00:00.25Z");
  f("2006-01-02 15:04:05,000", "2024-05-01 10:00:00,250", "2024-05-01T10:00:00.25Z");
  f("02/Jan/2006:15:04:05 -0700", "01/May/2024:12:00:00 +0200", "2024-05-01T10:00:00Z");
  f("06-002 03:04 PM", "24-122 10:00 AM", "2024-05-01T10:00:00Z");
}

TEST(TimeFormat, WhatIsNoTime) {
  const auto f = [](std::string_view format, std::string_view value) {
    EXPECT_EQ(read(format, value), "none") << format << ": " << value;
  };
  f("rfc3339", "");
  f("rfc3339", "2024-05-01");
  f("rfc3339", "2024-13-01T10:00:00Z");
  f("rfc3339", "0001-01-01T00:00:00Z");
  f("unix", "");
  f("unix", "-1714557600");
  f("unix", "+1714557600");
  f("unix", " 1714557600");
  f("unix", "1714557600.");
  f("unix", "1714557600.1x");
  f("unix", "1714557600.-1");
  f("unix", ".5");
  f("unix", "1.7145576e9");
  f("unix", "99999999999999999999");
  f("unix", "9223372036");  // the seconds after it do not fit
  f("unix_ns", "9223372036854775807");
  f("2006-01-02 15:04:05", "2024-05-01 10:00:00 UTC");
}

// Of a program whose clock was not set.
TEST(TimeFormat, BeforeTheYear2000) {
  EXPECT_EQ(read("unix", "0"), "none");
  EXPECT_EQ(read("unix", "946684799"), "none");
  EXPECT_EQ(read("unix", "946684800"), "2000-01-01T00:00:00Z");
  EXPECT_EQ(read("rfc3339", "1999-12-31T23:59:59Z"), "none");
}

TEST(TimeFormat, ALayoutWithoutAYearTakesTheNearest) {
  const auto f = [](std::string_view near, std::string_view value, std::string_view time) {
    EXPECT_EQ(read("Jan _2 15:04:05", value, *record::parse_rfc3339(near)), time) << near << ": " << value;
  };
  f("2026-01-01T00:00:05Z", "Dec 31 23:59:58", "2025-12-31T23:59:58Z");
  f("2025-12-31T23:59:58Z", "Jan  1 00:00:01", "2026-01-01T00:00:01Z");
  f("2026-06-30T00:00:00Z", "Jun 29 10:00:00", "2026-06-29T10:00:00Z");
  f("2024-03-01T00:00:00Z", "Feb 29 10:00:00", "2024-02-29T10:00:00Z");
  f("2025-03-01T00:00:00Z", "Feb 29 10:00:00", "2024-02-29T10:00:00Z");
  f("2026-03-01T00:00:00Z", "Feb 29 10:00:00", "none");
}

TEST(TimeFormat, WhatIsNoFormat) {
  const auto f = [](std::string_view format, std::string_view why) {
    const auto parsed = TimeFormat::parse(format);
    ASSERT_FALSE(parsed.ok()) << format;
    EXPECT_THAT(parsed.error().message, testing::HasSubstr(why)) << format;
    EXPECT_EQ(parsed.error().code, base::Code::usage);
    EXPECT_THAT(parsed.error().hint, testing::HasSubstr("rfc3339"));
  };
  f("iso8601", "no day");
  f("", "no month");
  f("15:04:05", "no month");
  f("2006-01 15:04", "no day");
  f("2006-01-02", "no hour");
  f("%Y-%m-%d %H:%M:%S", "no month");
}

}  // namespace
}  // namespace weir::stages
