#include "stages/time_format.h"

#include "gotext/go_time.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Timestamp;

constexpr Timestamp kYear2000 = 946'684'800 * base::kSecond;

constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kUnits = {
    {{"unix", base::kSecond}, {"unixms", base::kMillisecond}, {"unixus", 1000}, {"unixns", 1}}};

// "UnixMs" and "RFC3339Nano", as Promtail calls them, become "unixms" and "rfc3339nano".
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_') out += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return out;
}

// A decimal number of `unit` nanoseconds each. Digits of the fraction beyond nanoseconds are cut.
std::optional<Timestamp> read_unix(std::string_view value, std::int64_t unit) {
  std::int64_t whole = 0;
  const char* const end = value.data() + value.size();
  const auto [after, error] = std::from_chars(value.data(), end, whole);
  if (error != std::errc() || whole < 0 || whole > std::numeric_limits<std::int64_t>::max() / unit - 1) return std::nullopt;
  Timestamp time = whole * unit;
  if (after == end) return time;
  if (*after != '.' || after + 1 == end) return std::nullopt;
  std::int64_t place = unit;
  for (const char* digit = after + 1; digit != end; ++digit) {
    if (*digit < '0' || *digit > '9') return std::nullopt;
    place /= 10;
    time += (*digit - '0') * place;
  }
  return time;
}

// Whether two times that differ in one part look different in this layout.
bool shows(std::string_view layout, std::string_view one, std::string_view other) {
  return gotext::format_go_time(*record::parse_rfc3339(one), layout) !=
         gotext::format_go_time(*record::parse_rfc3339(other), layout);
}

}  // namespace

base::Result<TimeFormat> TimeFormat::parse(std::string_view text) {
  TimeFormat format;
  const std::string name = plain(text);
  if (name == "rfc3339" || name == "rfc3339nano") return format;
  for (const auto& [known, unit] : kUnits) {
    if (name != known) continue;
    format.kind_ = Kind::unix_time;
    format.unit_ = unit;
    return format;
  }
  constexpr std::string_view kTime = "2022-03-04T05:16:17Z";
  std::string_view missing;
  if (!shows(text, kTime, "2022-03-04T06:16:17Z")) missing = "hour";
  if (!shows(text, kTime, "2022-03-05T05:16:17Z")) missing = "day";
  if (!shows(text, kTime, "2022-08-04T05:16:17Z")) missing = "month";
  if (!missing.empty()) {
    return base::fail(Code::usage, "it is no known form, and as a layout of Go it has no {}", missing)
        .with_hint("use rfc3339, unix, unix_ms, unix_us, unix_ns, or a layout like '2006-01-02 15:04:05.000'");
  }
  format.kind_ = Kind::layout;
  format.layout_ = text;
  if (!shows(text, kTime, "2023-03-04T05:16:17Z")) {
    format.kind_ = Kind::layout_without_year;
    format.layout_.insert(0, "2006 ");
  }
  return format;
}

std::optional<Timestamp> TimeFormat::read(std::string_view value, Timestamp near) {
  const std::optional<Timestamp> time = read_any(value, near);
  return time && *time >= kYear2000 ? time : std::nullopt;
}

std::optional<Timestamp> TimeFormat::read_any(std::string_view value, Timestamp near) {
  switch (kind_) {
    case Kind::rfc3339:
      return record::parse_rfc3339(value);
    case Kind::unix_time:
      return read_unix(value, unit_);
    case Kind::layout:
      return gotext::parse_go_time(value, layout_);
    case Kind::layout_without_year:
      return read_nearest(value, near);
  }
  return std::nullopt;
}

// February 29 may be a day in one of the three years only.
std::optional<Timestamp> TimeFormat::read_nearest(std::string_view value, Timestamp near) {
  int year = 0;
  char printed[30];
  record::print_rfc3339(near, printed);
  std::from_chars(printed, printed + 4, year);
  std::optional<Timestamp> nearest;
  for (const int candidate : {year, year - 1, year + 1}) {
    text_.clear();
    fmt::format_to(std::back_inserter(text_), "{:04} {}", candidate, value);
    const std::optional<Timestamp> time = gotext::parse_go_time(text_, layout_);
    if (!time) continue;
    // The difference of two times may not fit.
    const auto distance = [near](Timestamp at) { return std::abs(at / 2 - near / 2); };
    if (!nearest || distance(*time) < distance(*nearest)) nearest = time;
  }
  return nearest;
}

}  // namespace weir::stages
