// The elements of Go's time layouts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::gotext {

enum class TimeElement : std::uint8_t {
  none,
  year,
  short_year,
  zero_month,
  month,
  month_name,
  long_month_name,
  zero_day,
  day,
  padded_day,
  zero_day_of_year,
  padded_day_of_year,
  weekday,
  long_weekday,
  hour,
  zero_hour12,
  hour12,
  zero_minute,
  minute,
  zero_second,
  second,
  upper_pm,
  lower_pm,
  zone_name,
  offset,            // -0700
  offset_colon,      // -07:00
  offset_short,      // -07
  offset_seconds,    // -070000
  offset_colons,     // -07:00:00
  iso_offset,        // Z0700
  iso_offset_colon,  // Z07:00
  iso_offset_short,  // Z07
  iso_offset_seconds,
  iso_offset_colons,
  fraction_zeros,  // .000
  fraction_nines,  // .999
};

// The element that the layout begins with and its length; none, of length 1, for literal text.
[[nodiscard]] TimeElement time_element(std::string_view layout, std::size_t& length);

}  // namespace weir::gotext
