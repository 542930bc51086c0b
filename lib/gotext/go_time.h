// Times by Go's layouts, in which "2006-01-02T15:04:05Z07:00" stands for the form of RFC 3339.
// https://pkg.go.dev/time#pkg-constants
#pragma once

#include "base/clock.h"
#include "gotext/time_zone.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gotext {

// A time of Go: any year, in a zone. What is left out is Go's zero time, year 1 in UTC.
struct GoTime {
  std::int64_t seconds = -62'135'596'800;  // since 1970
  std::int32_t nanosecond = 0;
  std::shared_ptr<const TimeZone> zone;  // nullptr: UTC
  [[nodiscard]] bool is_zero() const { return seconds == GoTime().seconds && nanosecond == 0; }
};

// A date and time of day in the zone of the time.
struct GoCivil {
  std::int64_t year = 1;
  int month = 1;
  int day = 1;
  int weekday = 0;  // from Sunday
  int day_of_year = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  std::int64_t offset = 0;
  std::string zone_name;
};

[[nodiscard]] GoTime go_time(base::Timestamp time);  // in the local zone
[[nodiscard]] GoCivil civil(const GoTime& time);
// The time of a date in a zone. A month, day or time of day beyond its range counts on.
[[nodiscard]] GoTime time_of(const GoCivil& date, std::int32_t nanosecond, std::shared_ptr<const TimeZone> zone);

[[nodiscard]] std::string format(const GoTime& time, std::string_view layout);
// A text without a zone is a time of `zone`. nullopt where Go gives an error.
[[nodiscard]] std::optional<GoTime> parse(std::string_view text, std::string_view layout, std::shared_ptr<const TimeZone> zone);
[[nodiscard]] std::string go_syntax_of(const GoTime& time);  // %#v

[[nodiscard]] std::string month_name(std::int64_t month);      // from 1
[[nodiscard]] std::string weekday_name(std::int64_t weekday);  // from 0, Sunday

// In UTC, and between the years 1678 and 2261 only.
[[nodiscard]] std::string format_go_time(base::Timestamp time, std::string_view layout);
[[nodiscard]] std::optional<base::Timestamp> parse_go_time(std::string_view text, std::string_view layout);

inline constexpr std::string_view kGoTimeString = "2006-01-02 15:04:05.999999999 -0700 MST";  // the layout of Time.String

}  // namespace weir::gotext
