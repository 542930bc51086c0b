#include "gotemplate/functions.h"
#include "gotemplate/literal.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

namespace weir::gotemplate {
namespace {

using Kind = Value::Kind;
using gotext::GoTime;

constexpr std::int64_t kSmallest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

// Overflow wraps, as in Go.
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t times(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// ---- functions

GoTime now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return gotext::go_time(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}
Value now(FunctionCall&) { return Value::of(now()); }

Value date(FunctionCall& call) {
  const Value& value = call.arguments[1];
  GoTime time;
  if (value.kind == Kind::time)
    time = *value.time;
  else if (value.kind == Kind::integer || value.kind == Kind::integer64)
    time.seconds = value.integer;
  else
    time = now();
  time.zone = gotext::TimeZone::local();
  return call.result(gotext::format(time, call.text(0)));
}

// Text that cannot be read gives the zero time.
Value to_date(FunctionCall& call) {
  return Value::of(gotext::parse(call.text(1), call.text(0), gotext::TimeZone::local()).value_or(GoTime()));
}
Value to_date_in_zone(FunctionCall& call) {
  const std::string_view name = call.text(1);
  auto zone = name == "Local" ? gotext::TimeZone::local() : name.empty() || name == "UTC" ? nullptr : gotext::TimeZone::load(name);
  return Value::of(gotext::parse(call.text(2), call.text(0), std::move(zone)).value_or(GoTime()));
}

// The length of the text shows the unit.
Value unix_to_time(FunctionCall& call) {
  const std::string_view text = call.text(0);
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = !digits.empty() && end == digits.data() + digits.size() && !(digits != text && digits[0] == '-');
  if (!whole || error != std::errc()) {
    return call.fail(fmt::format("unable to parse time '{}': strconv.ParseInt: parsing {}: {}", text, gotext::quote(text),
                                 whole ? "value out of range" : "invalid syntax"));
  }
  std::int64_t nanoseconds = 0;
  switch (text.size()) {
    case 5:
    case 10: {
      GoTime time;
      time.seconds = text.size() == 5 ? value * 86400 : value;
      time.zone = gotext::TimeZone::local();
      return Value::of(std::move(time));
    }
    case 13:
      nanoseconds = value * base::kMillisecond;
      break;
    case 16:
      nanoseconds = value * 1000;
      break;
    case 19:
      nanoseconds = value;
      break;
    default:
      return call.fail(fmt::format("unable to parse time '{}': %!w(<nil>)", text));
  }
  return Value::of(gotext::go_time(nanoseconds));
}

std::int64_t in_units(const GoTime& time, std::int64_t per_second) {
  return plus(times(time.seconds, per_second), time.nanosecond / (base::kSecond / per_second));
}
template <std::int64_t per_second>
Value epoch(FunctionCall& call) {
  return call.result(fmt::format("{}", in_units(call.time(0), per_second)));
}

// ---- methods of times

template <std::int64_t per_second>
Value units(FunctionCall& call) {
  return Value::of(Kind::integer64, in_units(call.time(0), per_second));
}

template <int gotext::GoCivil::*part>
Value part_of(FunctionCall& call) {
  return Value::of(std::int64_t{gotext::civil(call.time(0)).*part});
}
Value year(FunctionCall& call) { return Value::of(gotext::civil(call.time(0)).year); }
Value month(FunctionCall& call) { return Value::of(Kind::month, gotext::civil(call.time(0)).month); }
Value weekday(FunctionCall& call) { return Value::of(Kind::weekday, gotext::civil(call.time(0)).weekday); }
Value nanosecond(FunctionCall& call) { return Value::of(std::int64_t{call.time(0).nanosecond}); }

Value print_time(FunctionCall& call) { return call.result(gotext::format(call.time(0), gotext::kGoTimeString)); }
Value print_time_as_code(FunctionCall& call) { return call.result(gotext::go_syntax_of(call.time(0))); }
Value format(FunctionCall& call) { return call.result(gotext::format(call.time(0), call.text(1))); }

int order(const GoTime& a, const GoTime& b) {
  if (a.seconds != b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return a.nanosecond < b.nanosecond ? -1 : a.nanosecond > b.nanosecond ? 1 : 0;
}
Value before(FunctionCall& call) { return Value::of(order(call.time(0), call.time(1)) < 0); }
Value after(FunctionCall& call) { return Value::of(order(call.time(0), call.time(1)) > 0); }
Value same(FunctionCall& call) { return Value::of(order(call.time(0), call.time(1)) == 0); }
Value compare(FunctionCall& call) { return Value::of(std::int64_t{order(call.time(0), call.time(1))}); }
Value is_zero(FunctionCall& call) { return Value::of(call.time(0).is_zero()); }

GoTime moved(GoTime time, std::int64_t nanoseconds) {
  std::int64_t rest = time.nanosecond + nanoseconds % base::kSecond;
  time.seconds = plus(time.seconds, nanoseconds / base::kSecond);
  if (rest >= base::kSecond) {
    time.seconds = plus(time.seconds, 1);
    rest -= base::kSecond;
  } else if (rest < 0) {
    time.seconds = plus(time.seconds, -1);
    rest += base::kSecond;
  }
  time.nanosecond = static_cast<std::int32_t>(rest);
  return time;
}
Value add(FunctionCall& call) { return Value::of(moved(call.time(0), call.integer(1))); }

Value difference(FunctionCall& call) {
  const GoTime& a = call.time(0);
  const GoTime& b = call.time(1);
  const std::int64_t seconds = plus(a.seconds, static_cast<std::int64_t>(~static_cast<std::uint64_t>(b.seconds) + 1));
  const std::int64_t out = plus(times(seconds, base::kSecond), a.nanosecond - b.nanosecond);
  if (order(moved(b, out), a) == 0) return Value::of(Kind::duration, out);
  return Value::of(Kind::duration, order(a, b) < 0 ? kSmallest : kLargest);
}

Value add_date(FunctionCall& call) {
  const GoTime& time = call.time(0);
  gotext::GoCivil date = gotext::civil(time);
  constexpr std::int64_t kMost = 1'000'000'000;  // years, months, days; Go's dates wrap around far behind it
  const auto bounded = [&](std::size_t i) { return std::clamp(call.integer(i), -kMost, kMost); };
  const std::int64_t months = date.year * 12 + date.month - 1 + bounded(1) * 12 + bounded(2);
  date.year = months / 12 - (months % 12 < 0 ? 1 : 0);
  date.month = static_cast<int>(months - date.year * 12) + 1;
  date.day = static_cast<int>(date.day + bounded(3));
  return Value::of(gotext::time_of(date, time.nanosecond, time.zone));
}

// Nanoseconds of the time since year 1, modulo a positive number of them.
std::int64_t remainder(const GoTime& time, std::int64_t of) {
  __extension__ using Wide = __int128;
  const Wide all = (static_cast<Wide>(time.seconds) - GoTime().seconds) * base::kSecond + time.nanosecond;
  const auto rest = static_cast<std::int64_t>(all % of);
  return rest < 0 ? rest + of : rest;
}
bool less_than_half(std::int64_t part, std::int64_t whole) {
  return static_cast<std::uint64_t>(part) * 2 < static_cast<std::uint64_t>(whole);
}
Value truncate(FunctionCall& call) {
  const std::int64_t unit = call.integer(1);
  return Value::of(unit <= 0 ? call.time(0) : moved(call.time(0), -remainder(call.time(0), unit)));
}
Value round(FunctionCall& call) {
  const std::int64_t unit = call.integer(1);
  if (unit <= 0) return Value::of(call.time(0));
  const std::int64_t rest = remainder(call.time(0), unit);
  return Value::of(moved(call.time(0), less_than_half(rest, unit) ? -rest : unit - rest));
}

Value in_zone(FunctionCall& call, std::shared_ptr<const gotext::TimeZone> zone) {
  GoTime time = call.time(0);
  time.zone = std::move(zone);
  return Value::of(std::move(time));
}
Value utc(FunctionCall& call) { return in_zone(call, nullptr); }
Value local(FunctionCall& call) { return in_zone(call, gotext::TimeZone::local()); }
Value in(FunctionCall& call) {
  if (call.arguments[1].kind != Kind::location) return call.fail("time: missing Location in call to Time.In");
  return in_zone(call, call.time(1).zone);
}
Value location(FunctionCall& call) {
  Value out = Value::of(call.time(0));
  out.kind = Kind::location;
  return out;
}
Value is_daylight_saving(FunctionCall& call) {
  const GoTime& time = call.time(0);
  return Value::of(time.zone != nullptr && time.zone->at(time.seconds).daylight);
}

constexpr std::array<Function, 39> kTimeMethods = {{
    {"Add", "d", add},
    {"AddDate", "iii", add_date},
    {"After", "t", after},
    {"Before", "t", before},
    {"Clock", "", nullptr, "function Clock has 3 return values; should be 1 or 2"},
    {"Compare", "t", compare},
    {"Date", "", nullptr, "function Date has 3 return values; should be 1 or 2"},
    {"Day", "", part_of<&gotext::GoCivil::day>},
    {"Equal", "t", same},
    {"Format", "s", format},
    {"GoString", "", print_time_as_code},
    {"Hour", "", part_of<&gotext::GoCivil::hour>},
    {"ISOWeek", "", nullptr, "invalid function signature for ISOWeek: second return value should be error; is int"},
    {"In", "l", in},
    {"IsDST", "", is_daylight_saving},
    {"IsZero", "", is_zero},
    {"Local", "", local},
    {"Location", "", location},
    {"Minute", "", part_of<&gotext::GoCivil::minute>},
    {"Month", "", month},
    {"Nanosecond", "", nanosecond},
    {"Round", "d", round},
    {"Second", "", part_of<&gotext::GoCivil::second>},
    {"String", "", print_time},
    {"Sub", "t", difference},
    {"Truncate", "d", truncate},
    {"UTC", "", utc},
    {"Unix", "", units<1>},
    {"UnixMicro", "", units<1'000'000>},
    {"UnixMilli", "", units<1'000>},
    {"UnixNano", "", units<base::kSecond>},
    {"Weekday", "", weekday},
    {"Year", "", year},
    {"YearDay", "", part_of<&gotext::GoCivil::day_of_year>},
    {"Zone", "", nullptr, "invalid function signature for Zone: second return value should be error; is int"},
    {"ZoneBounds", "", nullptr, "invalid function signature for ZoneBounds: second return value should be error; is time.Time"},
    {"wall", "", nullptr, "wall is an unexported field of struct type time.Time"},
    {"ext", "", nullptr, "ext is an unexported field of struct type time.Time"},
    {"loc", "", nullptr, "loc is an unexported field of struct type time.Time"},
}};

// ---- methods of durations, months, days and locations

template <std::int64_t unit>
Value whole_units(FunctionCall& call) {
  return Value::of(Kind::integer64, call.integer(0) / unit);
}
template <std::int64_t unit>
Value real_units(FunctionCall& call) {
  const std::int64_t value = call.integer(0);
  return Value::of(static_cast<double>(value / unit) + static_cast<double>(value % unit) / static_cast<double>(unit));
}
Value magnitude(FunctionCall& call) {
  const std::int64_t value = call.integer(0);
  return Value::of(Kind::duration, value == kSmallest ? kLargest : std::abs(value));
}
Value truncate_duration(FunctionCall& call) {
  const std::int64_t unit = call.integer(1);
  return Value::of(Kind::duration, unit <= 0 ? call.integer(0) : call.integer(0) - call.integer(0) % unit);
}
Value round_duration(FunctionCall& call) {
  const std::int64_t value = call.integer(0);
  const std::int64_t unit = call.integer(1);
  if (unit <= 0) return Value::of(Kind::duration, value);
  const std::int64_t rest = value < 0 ? -(value % unit) : value % unit;
  std::int64_t out = 0;
  if (less_than_half(rest, unit))
    out = value < 0 ? value + rest : value - rest;
  else if (value < 0)
    out = __builtin_add_overflow(value, rest - unit, &out) ? kSmallest : out;
  else
    out = __builtin_add_overflow(value, unit - rest, &out) ? kLargest : out;
  return Value::of(Kind::duration, out);
}
Value print_duration(FunctionCall& call) { return call.result(gotext::print_go_duration(call.integer(0))); }
Value print_month(FunctionCall& call) { return call.result(gotext::month_name(call.integer(0))); }
Value print_weekday(FunctionCall& call) { return call.result(gotext::weekday_name(call.integer(0))); }
Value print_location(FunctionCall& call) { return call.result(call.time(0).zone == nullptr ? "UTC" : call.time(0).zone->name()); }

constexpr std::array<Function, 10> kDurationMethods = {{
    {"Abs", "", magnitude},
    {"Hours", "", real_units<base::kHour>},
    {"Microseconds", "", whole_units<1000>},
    {"Milliseconds", "", whole_units<base::kMillisecond>},
    {"Minutes", "", real_units<base::kMinute>},
    {"Nanoseconds", "", whole_units<1>},
    {"Round", "d", round_duration},
    {"Seconds", "", real_units<base::kSecond>},
    {"String", "", print_duration},
    {"Truncate", "d", truncate_duration},
}};
constexpr std::array<Function, 1> kMonthMethods = {{{"String", "", print_month}}};
constexpr std::array<Function, 1> kWeekdayMethods = {{{"String", "", print_weekday}}};
constexpr std::array<Function, 1> kLocationMethods = {{{"String", "", print_location}}};

constexpr std::array<Function, 8> kTable = {{
    {"now", "", now},
    {"date", "sa", date},
    {"toDate", "ss", to_date},
    {"toDateInZone", "sss", to_date_in_zone},
    {"unixToTime", "s", unix_to_time},
    {"unixEpoch", "t", epoch<1>},
    {"unixEpochMillis", "t", epoch<1000>},
    {"unixEpochNanos", "t", epoch<base::kSecond>},
}};

}  // namespace

std::span<const Function> time_functions() { return kTable; }

const Function* find_method(Value::Kind kind, std::string_view name) {
  std::span<const Function> table;
  if (kind == Kind::time) table = kTimeMethods;
  if (kind == Kind::duration) table = kDurationMethods;
  if (kind == Kind::month) table = kMonthMethods;
  if (kind == Kind::weekday) table = kWeekdayMethods;
  if (kind == Kind::location) table = kLocationMethods;
  const auto found = std::ranges::find(table, name, &Function::name);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace weir::gotemplate
