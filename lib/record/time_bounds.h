// Which times a count of nanoseconds reaches.
#pragma once

#include <string_view>

namespace weir::record {

inline constexpr std::string_view kTimeBounds = "times go from 1678 to 2261";

// Whether it is a time as parse_time() reads them, but before 1678 or after 2261.
[[nodiscard]] bool is_time_out_of_range(std::string_view text);

}  // namespace weir::record
