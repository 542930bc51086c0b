#include "gotext/quantity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weir::gotext {
namespace {

using base::kHour;
using base::kMinute;
using base::kSecond;

TEST(GoDuration, Parse) {
  auto t = [](std::string_view text, base::Duration expected) { EXPECT_EQ(parse_go_duration(text), expected) << text; };
  t("0", 0);
  t("5s", 5 * kSecond);
  t("-5s", -5 * kSecond);
  t("+5s", 5 * kSecond);
  t("1h30m", 90 * kMinute);
  t("30m1h", 90 * kMinute);
  t("1.5h", 90 * kMinute);
  t(".5s", kSecond / 2);
  t("5.s", 5 * kSecond);
  t("100ns", 100);
  t("3us", 3000);
  t("3\xc2\xb5s", 3000);
  t("3\xce\xbcs", 3000);
  t("0.3333333333333333333h", 20 * kMinute - 1);
  t("9223372036854775807ns", std::numeric_limits<std::int64_t>::max());
  t("-9223372036854775808ns", std::numeric_limits<std::int64_t>::min());
}

TEST(GoDuration, Refuse) {
  for (const std::string_view text :
       {"", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "1h 30m", "9223372036854775808ns", "3000000h", "1x"}) {
    EXPECT_EQ(parse_go_duration(text), std::nullopt) << text;
  }
}

TEST(GoDuration, Print) {
  auto t = [](base::Duration duration, std::string_view expected) {
    EXPECT_EQ(print_go_duration(duration), expected);
    EXPECT_EQ(parse_go_duration(expected), duration);
  };
  t(0, "0s");
  t(1, "1ns");
  t(1100, "1.1\xc2\xb5s");
  t(2'200'000, "2.2ms");
  t(3'300'000'000, "3.3s");
  t(4 * kMinute + 5 * kSecond, "4m5s");
  t(4 * kMinute + 5'001'000'000, "4m5.001s");
  t(24 * kHour, "24h0m0s");
  t(-90 * kMinute, "-1h30m0s");
  t(std::numeric_limits<std::int64_t>::min(), "-2562047h47m16.854775808s");
}

TEST(RangeDuration, Parse) {
  auto t = [](std::string_view text, base::Duration expected) { EXPECT_EQ(parse_range_duration(text), expected) << text; };
  t("0", 0);
  t("5m", 5 * kMinute);
  t("1h30m", 90 * kMinute);
  t("1d", 24 * kHour);
  t("1w1d", 8 * 24 * kHour);
  t("1y", 365 * 24 * kHour);
  t("1500ms", 1500 * base::kMillisecond);
}

TEST(RangeDuration, Refuse) {
  auto t = [](std::string_view text, std::string_view expected) {
    std::string why;
    EXPECT_EQ(parse_range_duration(text, &why), std::nullopt) << text;
    EXPECT_EQ(why, expected);
  };
  t("", "empty duration string");
  t("5", "not a valid duration string: \"5\"");
  t("m", "not a valid duration string: \"m\"");
  t("5m1h", "not a valid duration string: \"5m1h\"");
  t("1.5h", "unknown unit \".\" in duration \"1.5h\"");
  t("5us", "unknown unit \"us\" in duration \"5us\"");
  t("999999999y", "duration out of range");
}

TEST(RangeDuration, Print) {
  auto t = [](std::string_view text, std::string_view expected) {
    EXPECT_EQ(print_range_duration(*parse_range_duration(text)), expected);
  };
  t("0", "0s");
  t("90s", "1m30s");
  t("24h", "1d");
  t("7d", "1w");
  t("8d", "8d");
  t("10d", "10d");
  t("365d", "1y");
  t("366d", "366d");
  t("1500ms", "1s500ms");
}

TEST(Bytes, Parse) {
  auto t = [](std::string_view text, std::uint64_t expected) { EXPECT_EQ(parse_bytes(text), expected) << text; };
  t("300", 300);
  t("300B", 300);
  t("5k", 5000);
  t("5kB", 5000);
  t("5KB", 5000);
  t("5Ki", 5120);
  t("5KiB", 5120);
  t("1.5 KiB", 1536);
  t("12MB", 12'000'000);
  t("12 mib", 12 << 20);
  t("1,024", 1024);
  t("2GiB", std::uint64_t{2} << 30);
  t("1EB", 1'000'000'000'000'000'000);
}

TEST(Bytes, Refuse) {
  for (const std::string_view text : {"", "x", "kB", "5x", "5kk", "5iB", "-5", "1.2.3", "99EB", "5 k B"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(Bytes, Print) {
  auto t = [](std::uint64_t bytes, std::string_view expected) { EXPECT_EQ(print_bytes(bytes), expected); };
  t(0, "0B");
  t(9, "9B");
  t(10, "10B");
  t(999, "999B");
  t(1000, "1.0kB");
  t(2 << 20, "2.1MB");
  t(12'345, "12kB");
  t(1'000'000'000'000, "1.0TB");
}

TEST(Float, Parse) {
  auto t = [](std::string_view text, double expected) { EXPECT_EQ(parse_float(text), expected) << text; };
  t("1", 1);
  t("-1.5", -1.5);
  t("+.5", .5);
  t("5.", 5);
  t("1e3", 1000);
  t("017", 17);
  t("0x1p4", 16);
  t("1_000", 1000);
  t("1e-400", 0);
  t("inf", std::numeric_limits<double>::infinity());
  t("-Infinity", -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(*parse_float("NaN")));
}

TEST(Float, Refuse) {
  for (const std::string_view text :
       {"", "x", "1x", " 1", "1 ", "0x10", "1__0", "_1", "1_", "--1", "1e", "1e400", "nan(1)", "1e999"}) {
    EXPECT_EQ(parse_float(text), std::nullopt) << text;
  }
}

TEST(Float, Print) {
  auto t = [](double value, std::string_view g, std::string_view f) {
    EXPECT_EQ(print_float_g(value), g);
    EXPECT_EQ(print_float_f(value), f);
  };
  t(0, "0", "0");
  t(-1.5, "-1.5", "-1.5");
  t(1000, "1000", "1000");
  t(1e5, "100000", "100000");
  t(2e6, "2e+06", "2000000");
  t(123456789, "1.23456789e+08", "123456789");
  t(1e21, "1e+21", "1000000000000000000000");
  t(1e23, "1e+23", "100000000000000000000000");
  t(0.0001, "0.0001", "0.0001");
  t(1e-7, "1e-07", "0.0000001");
  t(0.1, "0.1", "0.1");
  t(std::numeric_limits<double>::infinity(), "+Inf", "+Inf");
}

}  // namespace
}  // namespace weir::gotext
