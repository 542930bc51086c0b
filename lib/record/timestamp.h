// Times as people and logs write them. RFC 3339: https://www.rfc-editor.org/rfc/rfc3339
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace weir::record {

// 2024-05-01T10:00:00[.fraction](Z|±hh:mm). `T` and `Z` in either case, or a space for `T`. Digits beyond nanoseconds are cut.
// A leap second :60 is read as :59.999999999. Years 1678 to 2261. No allocation; the fast path of tail.
[[nodiscard]] std::optional<base::Timestamp> parse_rfc3339(std::string_view text);

// "2024-05-01T10:00:00.123456789Z": UTC, with as many digits of the fraction as needed (as Go's RFC3339Nano prints). Writes at
// most 30 bytes and returns how many.
std::size_t print_rfc3339(base::Timestamp time, char* out);
[[nodiscard]] std::string to_rfc3339(base::Timestamp time);

// The value of a flag such as --since or --from. RFC 3339; local time as `2024-05-01`, `2024-05-01 10:00[:00]` or `10:00[:00]`
// (the latest such time); `now`; a duration, so long before `now`, also as `-10m`; Unix time as an integer in s (10 digits), ms
// (13), µs (16) or ns (19).
[[nodiscard]] base::Result<base::Timestamp> parse_time(std::string_view text, base::Timestamp now);

// `90s`, `1h30m`, `1.5s`, `250ms`, `7d`, `2w`, `1y`: Go durations, with d, w and y added. A bare number is an error that asks
// for the unit. A negative result is possible; the caller decides whether it is valid.
[[nodiscard]] base::Result<base::Duration> parse_duration(std::string_view text);
[[nodiscard]] std::string print_duration(base::Duration duration);  // "1h30m", "250ms"

// `64KiB`, `1MiB`, `10MB`, `1.5GiB`, `4096`, `2K`. SI units count by 1000, IEC units (Ki…) by 1024. K, M, G alone count by
// 1024, as in the sizes of other tools' flags for disks and buffers.
[[nodiscard]] base::Result<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string print_size(std::uint64_t bytes);  // "1.5 MiB"

}  // namespace weir::record
