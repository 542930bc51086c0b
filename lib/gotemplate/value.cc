#include "gotemplate/value.h"

#include "gotemplate/literal.h"
#include "gotemplate/print.h"
#include "gotext/quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace weir::gotemplate {

Value Value::of(bool value) {
  Value out;
  out.kind = Kind::boolean;
  out.boolean = value;
  return out;
}
Value Value::of(Kind kind, std::int64_t value) {
  Value out;
  out.kind = kind;
  out.integer = value;
  return out;
}
Value Value::of(double value) {
  Value out;
  out.kind = Kind::real;
  out.real = value;
  return out;
}
Value Value::of(std::string_view value) {
  Value out;
  out.kind = Kind::text;
  out.text = value;
  return out;
}
Value Value::of(gotext::GoTime value) {
  Value out;
  out.kind = Kind::time;
  out.time = std::make_shared<const gotext::GoTime>(std::move(value));
  return out;
}
Value Value::nothing() {
  Value out;
  out.kind = Kind::nil;
  out.boxed = true;
  return out;
}

const Value* find_in_map(const Value::Map& map, std::string_view name) {
  const auto found =
      std::lower_bound(map.begin(), map.end(), name, [](const auto& one, std::string_view wanted) { return one.first < wanted; });
  return found == map.end() || found->first != name ? nullptr : &found->second;
}

std::string_view type_name(const Value& value) {
  switch (value.kind) {
    case Value::Kind::absent:
    case Value::Kind::nil:
      return "interface {}";
    case Value::Kind::boolean:
      return "bool";
    case Value::Kind::integer:
      return "int";
    case Value::Kind::integer64:
      return "int64";
    case Value::Kind::byte:
      return "uint8";
    case Value::Kind::duration:
      return "time.Duration";
    case Value::Kind::month:
      return "time.Month";
    case Value::Kind::weekday:
      return "time.Weekday";
    case Value::Kind::real:
      return "float64";
    case Value::Kind::text:
      return "string";
    case Value::Kind::time:
      return "time.Time";
    case Value::Kind::location:
      return "*time.Location";
    case Value::Kind::list:
      return "[]interface {}";
    case Value::Kind::map:
      return value.labels ? "map[string]string" : "map[string]interface {}";
  }
  return "";
}
std::string_view static_type_name(const Value& value) { return value.boxed ? "interface {}" : type_name(value); }

bool truth(const Value& value) {
  switch (value.kind) {
    case Value::Kind::absent:
    case Value::Kind::nil:
      return false;
    case Value::Kind::boolean:
      return value.boolean;
    case Value::Kind::real:
      return value.real != 0;
    case Value::Kind::text:
      return !value.text.empty();
    case Value::Kind::time:
    case Value::Kind::location:
      return true;
    case Value::Kind::list:
      return !value.list->empty();
    case Value::Kind::map:
      return !value.map->empty();
    default:
      return value.integer != 0;
  }
}

namespace {

// Values of one of these can be ordered among themselves.
enum class Basic : std::uint8_t { none, boolean, integer, unsigned_integer, real, text };

Basic basic_kind(const Value& value) {
  if (value.kind == Value::Kind::byte) return Basic::unsigned_integer;
  if (value.is_integral()) return Basic::integer;
  if (value.kind == Value::Kind::boolean) return Basic::boolean;
  if (value.kind == Value::Kind::real) return Basic::real;
  return value.kind == Value::Kind::text ? Basic::text : Basic::none;
}
bool are_integers(Basic a, Basic b) {
  const auto is = [](Basic one) { return one == Basic::integer || one == Basic::unsigned_integer; };
  return is(a) && is(b);
}
std::string incompatible(const Value& a, const Value& b) {
  return fmt::format("incompatible types for comparison: {} and {}", type_name(a), type_name(b));
}

bool same_zone(const gotext::GoTime& a, const gotext::GoTime& b) {
  if (a.zone == b.zone) return true;
  return a.zone != nullptr && b.zone != nullptr && a.zone->is_plain_offset() && b.zone->is_plain_offset() &&
         a.zone->at(0).offset == b.zone->at(0).offset;
}

bool equal_others(const Value& a, const Value& b, std::string& error) {
  if (a.is_nothing() || b.is_nothing()) return a.is_nothing() && b.is_nothing();
  if (a.kind != b.kind) {
    error = fmt::format("non-comparable types {}: {}, {}: {}", print_verb(a, 's'), type_name(a), type_name(b), print_verb(b, 'v'));
    return false;
  }
  if (b.kind == Value::Kind::map || b.kind == Value::Kind::list) {
    error = fmt::format("non-comparable type {}: {}", print_verb(b, 's'), type_name(b));
    return false;
  }
  if (a.kind == Value::Kind::location) return same_zone(*a.time, *b.time);
  return a.time->seconds == b.time->seconds && a.time->nanosecond == b.time->nanosecond && same_zone(*a.time, *b.time);
}

}  // namespace

bool equal_values(const Value& a, const Value& b, std::string& error) {
  const Basic first = basic_kind(a);
  const Basic second = basic_kind(b);
  if (are_integers(first, second)) return a.integer == b.integer;
  if (first != second) {
    if (!a.is_nothing() && !b.is_nothing()) error = incompatible(a, b);
    return false;
  }
  switch (first) {
    case Basic::boolean:
      return a.boolean == b.boolean;
    case Basic::real:
      return a.real == b.real;
    case Basic::text:
      return a.text == b.text;
    default:
      return equal_others(a, b, error);
  }
}

bool less_values(const Value& a, const Value& b, std::string& error) {
  const Basic first = basic_kind(a);
  const Basic second = basic_kind(b);
  if (are_integers(first, second)) return a.integer < b.integer;
  if (first == Basic::none || second == Basic::none || (first == Basic::boolean && second == Basic::boolean)) {
    error = "invalid type for comparison";
    return false;
  }
  if (first != second) {
    error = incompatible(a, b);
    return false;
  }
  return first == Basic::real ? a.real < b.real : a.text < b.text;
}

namespace {

constexpr std::int64_t kSmallest = std::numeric_limits<std::int64_t>::min();

// Cuts the digits behind the point, when there is nothing but digits.
std::string_view without_decimals(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return text;
  std::string_view whole = text.substr(0, point);
  const std::size_t sign = whole.starts_with('-') || whole.starts_with('+') ? 1 : 0;
  constexpr std::string_view kDigits = "0123456789";
  const bool digits = whole.find_first_not_of(kDigits, sign) == std::string_view::npos &&
                      text.find_first_not_of(kDigits, point + 1) == std::string_view::npos;
  if (!digits) return text;
  return whole.size() == sign ? "0" : whole;
}

}  // namespace

std::int64_t to_integer(const Value& value) {
  if (value.kind == Value::Kind::duration) return value.integer;
  if (value.is_integral()) return value.integer;
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.boolean ? 1 : 0;
    case Value::Kind::real:  // what does not fit becomes this number on the processors that Loki runs on
      return value.real >= -0x1p63 && value.real < 0x1p63 ? static_cast<std::int64_t>(value.real) : kSmallest;
    case Value::Kind::text:
      return parse_integer(without_decimals(value.text)).value_or(0);
    default:
      return 0;
  }
}

double to_real(const Value& value) {
  if (value.is_integral()) return static_cast<double>(value.integer);
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.boolean ? 1 : 0;
    case Value::Kind::real:
      return value.real;
    case Value::Kind::text:
      return gotext::parse_float(value.text).value_or(0);
    default:
      return 0;
  }
}

}  // namespace weir::gotemplate
