// How a program writes the time of a log line: `enrich --timestamp-from NAME FORMAT`.
//
//   auto format = TimeFormat::parse("unix_ms");
//   format->read("1714557600123", record.timestamp)   // 2024-05-01T10:00:00.123Z
//
// FORMAT is one of
//   rfc3339                            with a fraction of any length, and a space in place of the T
//   unix, unix_ms, unix_us, unix_ns    a decimal number, which may have a fraction: 1714557600.123
//   a layout of Go's package time      2006-01-02 15:04:05,000; without a zone it is UTC
// The names of Promtail (RFC3339Nano, UnixMs, …) are understood, too.
// A layout without a year (Jan _2 15:04:05) takes the year in which the time lies nearest to the record's own.
//
// Immutable, but for a buffer: not thread safe. read() allocates nothing once that has grown.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::stages {

class TimeFormat {
 public:
  // Code::usage: no word of the list, and no layout with a month, a day and an hour. The message is the cause alone.
  [[nodiscard]] static base::Result<TimeFormat> parse(std::string_view text);

  // Nothing: `value` does not have this form, or the time lies before the year 2000, which is what programs write whose clock was
  // not set. `near` is the record's own time.
  [[nodiscard]] std::optional<base::Timestamp> read(std::string_view value, base::Timestamp near);

 private:
  enum class Kind : std::uint8_t { rfc3339, unix_time, layout, layout_without_year };
  [[nodiscard]] std::optional<base::Timestamp> read_any(std::string_view value, base::Timestamp near);
  [[nodiscard]] std::optional<base::Timestamp> read_nearest(std::string_view value, base::Timestamp near);

  Kind kind_ = Kind::rfc3339;
  std::int64_t unit_ = base::kSecond;  // of unix_time, in nanoseconds
  std::string layout_;                 // of a layout without a year: with one in front
  std::string text_;                   // the value with a year in front
};

}  // namespace weir::stages
