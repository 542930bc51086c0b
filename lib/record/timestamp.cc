#include "record/timestamp.h"

#include "base/civil.h"
#include "record/time_bounds.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>
#include <limits>

namespace weir::record {
namespace {

using base::Code;
using base::Duration;
using base::fail;
using base::kSecond;
using base::kSecondsPerDay;
using base::Result;
using base::Timestamp;

// `count` digits at `at`, or -1.
inline int digits(const char* at, int count) {
  int value = 0;
  for (int i = 0; i < count; ++i) {
    const unsigned digit = static_cast<unsigned char>(at[i]) - unsigned{'0'};
    if (digit > 9) return -1;
    value = value * 10 + static_cast<int>(digit);
  }
  return value;
}

char* put_digits(char* out, unsigned value, int count) {
  for (int i = count - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + count;
}

struct Unit {
  std::string_view name;
  double nanoseconds;
};
constexpr std::array<Unit, 11> kUnits = {{{"ns", 1},
                                          {"us", 1e3},
                                          {"\xc2\xb5s", 1e3},
                                          {"\xce\xbcs", 1e3},
                                          {"ms", 1e6},
                                          {"s", 1e9},
                                          {"m", 60e9},
                                          {"h", 3600e9},
                                          {"d", 86400e9},
                                          {"w", 7 * 86400e9},
                                          {"y", 365 * 86400e9}}};

constexpr std::int64_t kLastSecond = 9'214'646'399;  // of 2261
constexpr std::string_view kOutOfRange = "it is out of range";

Result<Timestamp> local_time(std::tm& parts) {
  parts.tm_isdst = -1;
  const std::time_t seconds = std::mktime(&parts);
  if (seconds == -1) return fail(Code::usage, "cannot use this local time");
  if (seconds > kLastSecond || seconds < -kLastSecond) return fail(Code::usage, "cannot use this local time: {}", kOutOfRange);
  return Timestamp{seconds} * kSecond;
}

// [+-]digits as Unix time whose unit the number of digits tells.
std::optional<Timestamp> parse_unix(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  switch (text.size()) {
    case 10:
      return value * kSecond;
    case 13:
      return value * 1'000'000;
    case 16:
      return value * 1'000;
    case 19:
      return value;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  // 2024-05-01T10:00:00Z
  // 0    5  8  11 14 17 19
  if (text.size() < 20) return std::nullopt;
  const char* at = text.data();
  const char* const end = at + text.size();
  const int year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2);
  const int hour = digits(at + 11, 2), minute = digits(at + 14, 2);
  int second = digits(at + 17, 2);
  if (at[4] != '-' || at[7] != '-' || at[13] != ':' || at[16] != ':') return std::nullopt;
  if (at[10] != 'T' && at[10] != 't' && at[10] != ' ') return std::nullopt;
  if (year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60 || static_cast<unsigned>(day) > base::days_in_month(year, static_cast<unsigned>(month))) {
    return std::nullopt;
  }
  at += 19;
  std::int64_t nanoseconds = 0;
  if (*at == '.' || *at == ',') {
    ++at;
    const char* const first = at;
    std::int64_t scale = 100'000'000;
    while (at < end && *at >= '0' && *at <= '9') {
      nanoseconds += (*at - '0') * scale;
      scale /= 10;
      ++at;
    }
    if (at == first || at == end) return std::nullopt;
  }
  if (second == 60) {
    second = 59;
    nanoseconds = kSecond - 1;
  }
  std::int64_t offset = 0;
  if (*at == 'Z' || *at == 'z') {
    ++at;
  } else if (*at == '+' || *at == '-') {
    if (end - at != 6 || at[3] != ':') return std::nullopt;
    const int hours = digits(at + 1, 2), minutes = digits(at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    offset = (hours * 60 + minutes) * 60;
    if (*at == '-') offset = -offset;
    at += 6;
  } else {
    return std::nullopt;
  }
  if (at != end) return std::nullopt;
  const std::int64_t days = base::days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  return (days * kSecondsPerDay + hour * 3600 + minute * 60 + second - offset) * kSecond + nanoseconds;
}

std::size_t print_rfc3339(Timestamp time, char* out) {
  std::int64_t seconds = time / kSecond;
  std::int64_t nanoseconds = time % kSecond;
  if (nanoseconds < 0) {
    nanoseconds += kSecond;
    --seconds;
  }
  std::int64_t days = seconds / kSecondsPerDay;
  std::int64_t rest = seconds % kSecondsPerDay;
  if (rest < 0) {
    rest += kSecondsPerDay;
    --days;
  }
  const base::CivilDate date = base::civil_from_days(days);
  const auto of_day = static_cast<unsigned>(rest);
  char* at = put_digits(out, static_cast<unsigned>(date.year), 4);
  *at++ = '-';
  at = put_digits(at, date.month, 2);
  *at++ = '-';
  at = put_digits(at, date.day, 2);
  *at++ = 'T';
  at = put_digits(at, of_day / 3600, 2);
  *at++ = ':';
  at = put_digits(at, of_day / 60 % 60, 2);
  *at++ = ':';
  at = put_digits(at, of_day % 60, 2);
  if (nanoseconds != 0) {
    *at++ = '.';
    at = put_digits(at, static_cast<unsigned>(nanoseconds), 9);
    while (at[-1] == '0') --at;
  }
  *at++ = 'Z';
  return static_cast<std::size_t>(at - out);
}

std::string to_rfc3339(Timestamp time) {
  char text[32];
  return {text, print_rfc3339(time, text)};
}

Result<Timestamp> parse_time(std::string_view text, Timestamp now) {
  if (text == "now") return now;
  if (const auto time = parse_rfc3339(text)) return *time;
  if (const auto time = parse_unix(text)) return *time;
  const std::string copy(text);
  // Local times: a date, a date with a time, or a time of day.
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* rest = ::strptime(copy.c_str(), format, &parts);
    if (rest == nullptr || *rest != '\0') continue;
    const unsigned days = base::days_in_month(parts.tm_year + 1900LL, static_cast<unsigned>(parts.tm_mon) + 1);
    if (static_cast<unsigned>(parts.tm_mday) > days) {
      return fail(Code::usage, "cannot read \"{}\" as a time: there is no such day", text)
          .with_hint(fmt::format("the month has {} days", days));
    }
    auto time = local_time(parts);
    if (!time && is_time_out_of_range(text)) break;
    return time;
  }
  for (const char* format : {"%H:%M:%S", "%H:%M"}) {
    const std::time_t today = now / kSecond;
    std::tm parts{};
    ::localtime_r(&today, &parts);
    parts.tm_sec = 0;
    const char* rest = ::strptime(copy.c_str(), format, &parts);
    if (rest == nullptr || *rest != '\0') continue;
    const std::tm of_today = parts;  // mktime() changes it
    auto time = local_time(parts);
    if (!time || *time <= now) return time;
    // 23:00 in the morning: yesterday's.
    parts = of_today;
    --parts.tm_mday;
    return local_time(parts);
  }
  if (text.starts_with('+')) {
    return fail(Code::usage, "cannot read \"{}\" as a time: it lies in the future", text)
        .with_hint(fmt::format("{} is that long ago", text.substr(1)));
  }
  if (const auto ago = parse_duration(text)) return now - std::abs(*ago);
  if (is_time_out_of_range(text))
    return fail(Code::usage, "cannot read \"{}\" as a time: {}", text, kOutOfRange).with_hint(std::string(kTimeBounds));
  return fail(Code::usage, "cannot read \"{}\" as a time", text)
      .with_hint("use 10m (ago), 10:00, 2026-01-31, '2026-01-31 10:00' (local time), 2026-01-31T10:00:00Z or Unix seconds");
}

Result<Duration> parse_duration(std::string_view text) {
  const std::string_view whole = text;
  const auto wrong = [whole](std::string_view why) {
    return fail(Code::usage, "cannot read \"{}\" as a duration: {}", whole, why)
        .with_hint("use for example 500ms, 90s, 15m, 1h30m or 7d");
  };
  if (text.empty()) return wrong("it is empty");
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  if (text == "0") return Duration{0};
  if (text.empty()) return wrong("a number is missing");
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || *text.data() == '-') return wrong("a number is missing");
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const Unit* found = nullptr;
    for (const Unit& unit : kUnits) {
      if (text.starts_with(unit.name) && (found == nullptr || unit.name.size() > found->name.size())) found = &unit;
    }
    if (found == nullptr) return wrong(text.empty() ? "the unit is missing" : "the unit is not known");
    text.remove_prefix(found->name.size());
    total += number * found->nanoseconds;
  }
  if (total > 9.2e18) return wrong("it is too long");
  const auto result = static_cast<Duration>(std::llround(total));
  return negative ? -result : result;
}

std::string print_duration(Duration duration) {
  if (duration == 0) return "0s";
  std::string out;
  if (duration < 0) {
    out += '-';
    duration = duration == std::numeric_limits<Duration>::min() ? std::numeric_limits<Duration>::max() : -duration;
  }
  const auto part = [&](Duration unit, std::string_view name) {
    if (duration < unit) return;
    out += fmt::format("{}{}", duration / unit, name);
    duration %= unit;
  };
  part(24 * base::kHour, "d");
  part(base::kHour, "h");
  part(base::kMinute, "m");
  part(kSecond, "s");
  part(base::kMillisecond, "ms");
  part(1000, "us");
  part(1, "ns");
  return out;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Code::usage, "cannot read \"{}\" as a size: {}", text, why).with_hint("use for example 4096, 64KiB, 10MB or 1GiB");
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || number < 0) return wrong("a number is missing");
  std::string unit;
  for (const char* at = end; at < text.data() + text.size(); ++at) {
    if (*at != ' ') unit += static_cast<char>(*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at);
  }
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const std::size_t power = std::string_view("kmgtp").find(unit.front());
    const std::string_view rest = std::string_view(unit).substr(1);
    if (power == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "i" && rest != "ib"))
      return wrong("the unit is not known");
    factor = std::pow(rest == "b" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
  }
  if (number * factor > 9e18) return wrong("it is too large");
  return static_cast<std::uint64_t>(std::llround(number * factor));
}

std::string print_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace weir::record
