#include "show/local_time.h"

#include "show/answer.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir::show {
namespace {

TEST(LocalTime, Forms) {
  const auto f = [](const char* zone, base::Timestamp time, const std::string& full, const std::string& rfc,
                    const std::string& name) {
    const test::ZoneOf here(zone);
    LocalTime local;
    local.set(time);
    std::string text, clock, exact;
    local.append_full(text);
    local.append_clock(clock);
    local.append_rfc3339(exact);
    EXPECT_EQ(text, full);
    EXPECT_EQ(clock, full.substr(11));
    EXPECT_EQ(local.day(), full.substr(0, 10));
    EXPECT_EQ(exact, rfc);
    EXPECT_EQ(local.zone(), name);
  };
  f("UTC0", test::kMorning + 1'900'000, "2026-05-01 10:00:00.001", "2026-05-01T10:00:00.001900000Z", "UTC");
  f("CET-1CEST,M3.5.0,M10.5.0/3", test::kMorning + 59'999'999'999, "2026-05-01 12:00:59.999", "2026-05-01T12:00:59.999999999+02:00",
    "CEST");
  f("<-0330>3:30", test::kMorning, "2026-05-01 06:30:00.000", "2026-05-01T06:30:00.000000000-03:30", "-0330");
  f("UTC0", -500'000'000, "1969-12-31 23:59:59.500", "1969-12-31T23:59:59.500000000Z", "UTC");
}

TEST(LocalTime, OneAfterTheOther) {
  const test::ZoneOf here("UTC0");
  LocalTime local;
  for (const base::Timestamp time :
       {test::kMorning, test::kMorning + base::kMinute, test::kMorning - 1, test::kMorning + base::kHour,
        std::numeric_limits<base::Timestamp>::min() + base::kHour, test::kMorning}) {
    LocalTime fresh;
    fresh.set(time);
    local.set(time);
    std::string one, other;
    local.append_rfc3339(one);
    fresh.append_rfc3339(other);
    EXPECT_EQ(one, other);
  }
}

TEST(LocalTime, EndsOfAnAxis) {
  const test::ZoneOf here("UTC0");
  EXPECT_EQ(ends_of(test::kMorning, test::kMorning + base::kHour).last, "11:00:00");
  EXPECT_EQ(ends_of(test::kMorning, test::kMorning + 20 * base::kHour).first, "2026-05-01 10:00:00");
  EXPECT_EQ(ends_of(test::kMorning, test::kMorning + 20 * base::kHour).last, "2026-05-02 06:00:00");
}

}  // namespace
}  // namespace weir::show
