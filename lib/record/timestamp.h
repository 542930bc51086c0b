// Times as people and logs write them. RFC 3339: https://www.rfc-editor.org/rfc/rfc3339
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace weir::record {

// 2024-05-01T10:00:00[.fraction](Z|±hh:mm), `T` and `Z` in either case, space allowed for `T`, up to nanoseconds (further
// digits are cut), leap second :60 read as :59.999999999. Years 1678 to 2261. No allocation; the fast path of tail.
[[nodiscard]] std::optional<base::Timestamp> parse_rfc3339(std::string_view text);

// "2024-05-01T10:00:00.123456789Z": UTC, as many digits of the fraction as are needed (as Go's RFC3339Nano prints).
// Writes at most 30 bytes and returns how many.
std::size_t print_rfc3339(base::Timestamp time, char* out);
[[nodiscard]] std::string to_rfc3339(base::Timestamp time);

// Flags such as --since and --from: RFC 3339; in local time `2024-05-01`, `2024-05-01 10:00[:00]` and `10:00[:00]` (the latest one that was);
// `now`; a duration, that long before `now`, also as `-10m`; integer Unix seconds (10 digits), ms (13), µs (16) or ns (19).
[[nodiscard]] base::Result<base::Timestamp> parse_time(std::string_view text, base::Timestamp now);

// `90s`, `1h30m`, `1.5s`, `250ms`, `7d`, `2w`, `1y`: Go durations plus d, w, y. A bare number is an error that asks for the
// unit. Negative only where the caller says so.
[[nodiscard]] base::Result<base::Duration> parse_duration(std::string_view text);
[[nodiscard]] std::string print_duration(base::Duration duration);  // "1h30m", "250ms"

// `64KiB`, `1MiB`, `10MB`, `1.5GiB`, `4096`, `2K`: SI units by 1000, IEC (Ki…) by 1024; K, M, G alone by 1024 as in sizes of
// disks and buffers of other tools' flags.
[[nodiscard]] base::Result<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string print_size(std::uint64_t bytes);  // "1.5 MiB"

}  // namespace weir::record
