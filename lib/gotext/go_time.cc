#include "gotext/go_time.h"

#include "base/civil.h"
#include "gotext/time_layout.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace weir::gotext {
namespace {

using Element = TimeElement;

constexpr std::array<std::string_view, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                      "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

// Overflow wraps, as in Go.
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
// Brings `low` into 0 to base-1 and adds the rest to `high`.
void carry(std::int64_t& high, std::int64_t& low, std::int64_t base) {
  std::int64_t whole = low / base;
  if (low % base < 0) --whole;
  high = plus(high, whole);
  low -= whole * base;
}

// Text that begins as an integer of Go: with a sign, and padded with zeros to `width` digits.
std::string padded(std::int64_t value, int width) {
  const auto magnitude = value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  return fmt::format("{}{:0{}}", value < 0 ? "-" : "", magnitude, width);
}

bool is_iso(Element element) { return element >= Element::iso_offset && element <= Element::iso_offset_colons; }

std::string print_offset(Element element, std::int64_t offset) {
  if (offset == 0 && is_iso(element)) return "Z";
  const std::int64_t minutes = std::abs(offset / 60);
  std::string out = fmt::format("{}{:02}", offset / 60 < 0 ? '-' : '+', minutes / 60);
  const bool colons = element == Element::offset_colons || element == Element::iso_offset_colons;
  const bool seconds = colons || element == Element::offset_seconds || element == Element::iso_offset_seconds;
  if (colons || element == Element::offset_colon || element == Element::iso_offset_colon) out += ':';
  if (element != Element::offset_short && element != Element::iso_offset_short) out += fmt::format("{:02}", minutes % 60);
  if (colons) out += ':';
  const std::int64_t second = offset / 60 < 0 ? -offset % 60 : offset % 60;
  if (seconds) out += padded(second, 2);
  return out;
}

std::string print_element(Element element, const GoCivil& time, std::int32_t nanosecond, std::string_view text) {
  const int hour12 = time.hour % 12 == 0 ? 12 : time.hour % 12;
  switch (element) {
    case Element::year:
      return padded(time.year, 4);
    case Element::short_year:
      return fmt::format("{:02}", std::abs(time.year) % 100);
    case Element::zero_month:
      return fmt::format("{:02}", time.month);
    case Element::month:
      return fmt::format("{}", time.month);
    case Element::month_name:
      return month_name(time.month).substr(0, 3);
    case Element::long_month_name:
      return month_name(time.month);
    case Element::zero_day:
      return fmt::format("{:02}", time.day);
    case Element::day:
      return fmt::format("{}", time.day);
    case Element::padded_day:
      return fmt::format("{:2}", time.day);
    case Element::zero_day_of_year:
      return fmt::format("{:03}", time.day_of_year);
    case Element::padded_day_of_year:
      return fmt::format("{:3}", time.day_of_year);
    case Element::weekday:
      return weekday_name(time.weekday).substr(0, 3);
    case Element::long_weekday:
      return weekday_name(time.weekday);
    case Element::hour:
      return fmt::format("{:02}", time.hour);
    case Element::zero_hour12:
      return fmt::format("{:02}", hour12);
    case Element::hour12:
      return fmt::format("{}", hour12);
    case Element::zero_minute:
      return fmt::format("{:02}", time.minute);
    case Element::minute:
      return fmt::format("{}", time.minute);
    case Element::zero_second:
      return fmt::format("{:02}", time.second);
    case Element::second:
      return fmt::format("{}", time.second);
    case Element::upper_pm:
      return time.hour >= 12 ? "PM" : "AM";
    case Element::lower_pm:
      return time.hour >= 12 ? "pm" : "am";
    case Element::zone_name:
      return time.zone_name.empty() ? print_offset(Element::offset, time.offset) : time.zone_name;
    case Element::fraction_zeros:
    case Element::fraction_nines: {
      const std::size_t digits = text.size() - 1;
      std::string out = fmt::format("{:09}", nanosecond).substr(0, digits);
      if (element == Element::fraction_zeros && digits > 9) out.append(digits - 9, '0');
      if (element == Element::fraction_nines) {
        while (!out.empty() && out.back() == '0') out.pop_back();
        if (out.empty()) return "";
      }
      return text[0] + out;
    }
    case Element::none:
      return std::string(text);
    default:
      return print_offset(element, time.offset);
  }
}

}  // namespace

std::string month_name(std::int64_t month) {
  return month >= 1 && month <= 12 ? std::string(kMonths[static_cast<std::size_t>(month - 1)])
                                   : fmt::format("%!Month({})", static_cast<std::uint64_t>(month));
}
std::string weekday_name(std::int64_t weekday) {
  return weekday >= 0 && weekday <= 6 ? std::string(kDays[static_cast<std::size_t>(weekday)])
                                      : fmt::format("%!Weekday({})", static_cast<std::uint64_t>(weekday));
}

GoTime go_time(base::Timestamp time) {
  std::int64_t seconds = 0;
  std::int64_t rest = time;
  carry(seconds, rest, base::kSecond);
  return {.seconds = seconds, .nanosecond = static_cast<std::int32_t>(rest), .zone = TimeZone::local()};
}

GoCivil civil(const GoTime& time) {
  GoCivil out;
  out.zone_name = "UTC";
  if (time.zone != nullptr) {
    const TimeZone::Period period = time.zone->at(time.seconds);
    out.zone_name = std::string(period.name);
    out.offset = period.offset;
  }
  std::int64_t days = 0;
  std::int64_t second = plus(time.seconds, out.offset);
  carry(days, second, base::kSecondsPerDay);
  out.hour = static_cast<int>(second / 3600);
  out.minute = static_cast<int>(second / 60 % 60);
  out.second = static_cast<int>(second % 60);
  out.weekday = static_cast<int>(((days % 7) + 11) % 7);
  const base::CivilDate date = base::civil_from_days(days);
  out.year = date.year;
  out.month = static_cast<int>(date.month);
  out.day = static_cast<int>(date.day);
  out.day_of_year = static_cast<int>(days - base::days_from_civil(out.year, 1, 1)) + 1;
  return out;
}

GoTime time_of(const GoCivil& date, std::int32_t nanosecond, std::shared_ptr<const TimeZone> zone) {
  std::int64_t year = date.year;
  std::int64_t month = static_cast<std::int64_t>(date.month) - 1;
  carry(year, month, 12);
  constexpr std::int64_t kMost = 100'000'000'000;  // years; what is beyond has no date
  year = std::clamp(year, -kMost, kMost);
  const std::int64_t days = base::days_from_civil(year, static_cast<unsigned>(month) + 1, 1) + date.day - 1;
  GoTime out;
  out.seconds = days * base::kSecondsPerDay + std::int64_t{date.hour} * 3600 + std::int64_t{date.minute} * 60 + date.second;
  out.nanosecond = nanosecond;
  if (zone != nullptr) {
    TimeZone::Period period = zone->at(out.seconds);
    if (period.offset != 0) {
      const std::int64_t utc = out.seconds - period.offset;
      if (utc < period.begin || utc >= period.end) period = zone->at(utc);
      out.seconds -= period.offset;
    }
  }
  out.zone = std::move(zone);
  return out;
}

std::string format(const GoTime& time, std::string_view layout) {
  const GoCivil parts = civil(time);
  std::string out;
  while (!layout.empty()) {
    std::size_t length = 0;
    const Element element = time_element(layout, length);
    if (element == Element::none) {
      out += layout[0];
    } else {
      out += print_element(element, parts, time.nanosecond, layout.substr(0, length));
    }
    layout.remove_prefix(length);
  }
  return out;
}

std::string go_syntax_of(const GoTime& time) {
  const GoCivil parts = civil(time);
  const std::string zone = time.zone == nullptr             ? "time.UTC"
                           : time.zone == TimeZone::local() ? "time.Local"
                                                            : fmt::format("time.Location({})", quote(time.zone->name()));
  return fmt::format("time.Date({}, time.{}, {}, {}, {}, {}, {}, {})", parts.year, month_name(parts.month), parts.day, parts.hour,
                     parts.minute, parts.second, time.nanosecond, zone);
}

std::string format_go_time(base::Timestamp time, std::string_view layout) { return format(go_time(time), layout); }

std::optional<base::Timestamp> parse_go_time(std::string_view text, std::string_view layout) {
  const auto time = parse(text, layout, nullptr);
  constexpr std::int64_t kFirst = -9'214'560'000;  // 1678-01-01
  constexpr std::int64_t kLast = 9'214'646'400;    // 2262-01-01
  if (!time || time->seconds < kFirst || time->seconds >= kLast) return std::nullopt;
  return time->seconds * base::kSecond + time->nanosecond;
}

}  // namespace weir::gotext
