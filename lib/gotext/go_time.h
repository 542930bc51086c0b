// Times by Go's layouts, in which "2006-01-02T15:04:05Z07:00" stands for the form of RFC 3339.
// https://pkg.go.dev/time#pkg-constants
#pragma once

#include "base/clock.h"

#include <optional>
#include <string>
#include <string_view>

namespace weir::gotext {

// Prints in UTC. Loki prints in the zone of its server; weir prints the same on every machine.
[[nodiscard]] std::string format_go_time(base::Timestamp time, std::string_view layout);

// A field that the layout leaves out is 0 (in Go: year 1, month 1, day 1; times before 1678 are refused here). A zone in the
// text is respected.
[[nodiscard]] std::optional<base::Timestamp> parse_go_time(std::string_view text, std::string_view layout);

inline constexpr std::string_view kGoTimeString = "2006-01-02 15:04:05.999999999 -0700 MST";  // the layout of Time.String

}  // namespace weir::gotext
