// Ages and distances in time, in words for people.
#pragma once

#include "base/clock.h"

#include <string>

namespace weir::record {

// The largest unit, and for a small count the next smaller one, rounded down: "24 minutes", "1 hour 50 minutes", "6 days"; "0
// seconds" for less than a second. The sign is left out.
[[nodiscard]] std::string in_words(base::Duration duration);

// "24 minutes ago", "in 6 days"; "now" within a second.
[[nodiscard]] std::string age_in_words(base::Timestamp time, base::Timestamp now);

}  // namespace weir::record
