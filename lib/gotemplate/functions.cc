#include "gotemplate/functions.h"

#include "base/base64.h"
#include "gotext/go_time.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>

namespace weir::gotemplate {
namespace {

// ---- encodings

Value b64enc(FunctionCall& call) {
  std::string out;
  base::append_base64(out, call.text(0));
  return call.result(std::move(out));
}

// On bad input Loki's function gives the text of the error. Go passes over newlines, so this is not decode_base64().
Value b64dec(FunctionCall& call) {
  const std::string_view text = call.text(0);
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t i = 0;
  auto corrupt = [&](std::size_t at) { return call.result(fmt::format("illegal base64 data at input byte {}", at)); };
  std::size_t seen = 0;
  for (; i < text.size(); ++i) {
    if (text[i] == '\n' || text[i] == '\r') continue;
    if (text[i] == '=') break;
    const int value = base::base64_digit(text[i]);
    if (value < 0) return corrupt(i);
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    ++seen;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  std::size_t padding = 0;
  for (std::size_t k = i; k < text.size(); ++k) {
    if (text[k] == '=')
      ++padding;
    else if (text[k] != '\n' && text[k] != '\r')
      return corrupt(k);
  }
  if ((seen + padding) % 4 != 0 || padding > 2) return corrupt(text.size());
  return call.result(std::move(out));
}

bool is_unreserved(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
}

// A result longer than `limit` is cut at any place after `limit`. This holds for the functions below too.
std::string query_escape(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : text) {
    if (out.size() > limit) break;
    if (c == ' ')
      out += '+';
    else if (is_unreserved(c))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}
Value urlencode(FunctionCall& call) { return call.result(query_escape(call.text(0), call.room())); }

Value urldecode(FunctionCall& call) {
  const std::string_view text = call.text(0);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      const std::string digits(text.substr(i + 1, 2));
      if (digits.size() < 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
        return call.fail(fmt::format("invalid URL escape {}", gotext::quote(text.substr(i, 3))));
      }
      out += static_cast<char>(std::stoul(digits, nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return call.result(std::move(out));
}

// ---- numbers

Value bytes(FunctionCall& call) {
  const auto value = gotext::parse_bytes(call.text(0));
  if (!value) return call.fail(gotext::bytes_complaint(call.text(0)));
  return Value::of(static_cast<double>(*value));
}
Value duration(FunctionCall& call) {
  const auto value = gotext::parse_go_duration(call.text(0));
  if (!value) return call.fail(gotext::duration_complaint(call.text(0)));
  return Value::of(static_cast<double>(*value) / 1e9);
}
Value integer(FunctionCall& call) { return Value::of(to_integer(call.arguments[0])); }
Value real(FunctionCall& call) { return Value::of(to_real(call.arguments[0])); }

template <typename Number, Number (*Convert)(const Value&), Number (*Combine)(Number, Number)>
Value folded(FunctionCall& call) {
  if (call.arguments.empty()) return Value::of(Number{});
  Number result = Convert(call.arguments[0]);
  for (std::size_t i = 1; i < call.arguments.size(); ++i) result = Combine(result, Convert(call.arguments[i]));
  return Value::of(result);
}
// Overflow wraps, as in Go.
std::int64_t wrap(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::int64_t plus_i(std::int64_t a, std::int64_t b) { return wrap(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b)); }
std::int64_t minus_i(std::int64_t a, std::int64_t b) { return wrap(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)); }
std::int64_t times_i(std::int64_t a, std::int64_t b) { return wrap(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b)); }
std::int64_t larger_i(std::int64_t a, std::int64_t b) { return std::max(a, b); }
std::int64_t smaller_i(std::int64_t a, std::int64_t b) { return std::min(a, b); }
double plus_f(double a, double b) { return a + b; }
double minus_f(double a, double b) { return a - b; }
double times_f(double a, double b) { return a * b; }
double larger_f(double a, double b) { return std::max(a, b); }
double smaller_f(double a, double b) { return std::min(a, b); }

template <bool remainder>
Value divided(FunctionCall& call) {
  const std::int64_t a = to_integer(call.arguments[0]);
  const std::int64_t b = to_integer(call.arguments[1]);
  if (b == 0) return call.fail("runtime error: integer divide by zero");
  if (b == -1) return Value::of(remainder ? 0 : minus_i(0, a));
  return Value::of(remainder ? a % b : a / b);
}

Value divided_real(FunctionCall& call) {
  double result = to_real(call.arguments[0]);
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    const double by = to_real(call.arguments[i]);
    if (by == 0) return call.fail("decimal division by 0");
    result /= by;
  }
  return Value::of(result);
}

Value ceiling(FunctionCall& call) { return Value::of(std::ceil(to_real(call.arguments[0]))); }
Value flooring(FunctionCall& call) { return Value::of(std::floor(to_real(call.arguments[0]))); }
Value rounding(FunctionCall& call) {
  const double scale = std::pow(10.0, static_cast<double>(call.integer(1)));
  const double half = call.arguments.size() > 2 ? to_real(call.arguments[2]) : 0.5;
  const double scaled = scale * to_real(call.arguments[0]);
  double whole = 0;
  const double fraction = std::modf(scaled, &whole);
  return Value::of((fraction >= half ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

// ---- times

Value now(FunctionCall&) {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return Value::of_time(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}
Value date(FunctionCall& call) {
  const Value& time = call.arguments[1];
  if (time.kind == Value::Kind::time) return call.result(gotext::format_go_time(time.integer, call.text(0)));
  if (time.kind == Value::Kind::integer) return call.result(gotext::format_go_time(time.integer * base::kSecond, call.text(0)));
  return now(call).kind == Value::Kind::time ? call.result(gotext::format_go_time(now(call).integer, call.text(0))) : Value();
}
Value parsed_time(FunctionCall& call, std::string_view layout, std::string_view text) {
  const auto time = gotext::parse_go_time(text, layout);
  if (!time) return call.fail(fmt::format("cannot read {} as a time of the form {}", gotext::quote(text), gotext::quote(layout)));
  return Value::of_time(*time);
}
Value to_date(FunctionCall& call) { return parsed_time(call, call.text(0), call.text(1)); }
Value to_date_in_zone(FunctionCall& call) {
  const std::string_view zone = call.text(1);
  if (!zone.empty() && zone != "UTC" && zone != "Local" && zone != "GMT") {
    return call.fail(fmt::format("unknown time zone {}: only UTC is known here", zone));
  }
  return parsed_time(call, call.text(0), call.text(2));
}

// The number of digits shows the unit.
Value unix_to_time(FunctionCall& call) {
  const std::string_view text = call.text(0);
  const bool digits = !text.empty() && text.size() <= 19 && text.find_first_not_of("0123456789") == std::string_view::npos;
  const std::int64_t value = digits ? to_integer(Value::of(text)) : 0;
  switch (digits ? text.size() : 0) {
    case 5:
      return Value::of_time(value * 86400 * base::kSecond);
    case 10:
      return Value::of_time(value * base::kSecond);
    case 13:
      return Value::of_time(value * base::kMillisecond);
    case 16:
      return Value::of_time(value * 1000);
    case 19: {
      std::int64_t exact = 0;  // a double cannot hold 19 digits
      for (const char c : text) {
        if (__builtin_mul_overflow(exact, 10, &exact) || __builtin_add_overflow(exact, c - '0', &exact)) {
          return call.fail(fmt::format("unable to parse time '{}': value out of range", text));
        }
      }
      return Value::of_time(exact);
    }
    default:
      return call.fail(fmt::format("unable to parse time '{}'", text));
  }
}

template <std::int64_t unit>
Value epoch(FunctionCall& call) {
  if (call.arguments[0].kind != Value::Kind::time) {
    return call.fail_type("time.Time", call.arguments[0]);
  }
  const std::int64_t time = call.arguments[0].integer;
  return call.result(fmt::format("{}", time / unit - (time % unit < 0 ? 1 : 0)));
}

// ---- everything else

Value from_json(FunctionCall& call) {
  auto value = value_from_json(call.text(0), call.pool);
  if (call.pool.exhausted) return call.too_long();
  return value ? *std::move(value) : Value();
}
Value default_to(FunctionCall& call) {
  if (call.arguments.size() < 2 || !truth(call.arguments[1])) return call.arguments[0];
  return call.arguments[1];
}
Value line(FunctionCall& call) { return Value::of(call.line); }
Value timestamp(FunctionCall& call) { return Value::of_time(call.timestamp); }

Value negation(FunctionCall& call) { return Value::of(!truth(call.arguments[0])); }

template <typename Holds>
Value compared(FunctionCall& call, std::size_t i, Holds holds) {
  const auto order = compare_values(call.arguments[0], call.arguments[i]);
  if (!order) {
    return call.fail(
        fmt::format("incompatible types for comparison: {} and {}", type_name(call.arguments[0]), type_name(call.arguments[i])));
  }
  return Value::of(holds(*order));
}
Value equal(FunctionCall& call) {
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    Value one = compared(call, i, [](int order) { return order == 0; });
    if (!call.error.empty() || one.boolean) return one;
  }
  return Value::of(false);
}
Value not_equal(FunctionCall& call) {
  return compared(call, 1, [](int order) { return order != 0; });
}
Value less(FunctionCall& call) {
  return compared(call, 1, [](int order) { return order < 0; });
}
Value less_equal(FunctionCall& call) {
  return compared(call, 1, [](int order) { return order <= 0; });
}
Value greater(FunctionCall& call) {
  return compared(call, 1, [](int order) { return order > 0; });
}
Value greater_equal(FunctionCall& call) {
  return compared(call, 1, [](int order) { return order >= 0; });
}

Value length(FunctionCall& call) {
  const Value& value = call.arguments[0];
  switch (value.kind) {
    case Value::Kind::text:
      return Value::of(static_cast<std::int64_t>(value.text.size()));
    case Value::Kind::list:
      return Value::of(static_cast<std::int64_t>(value.list->size()));
    case Value::Kind::map:
      return Value::of(static_cast<std::int64_t>(value.map->size()));
    case Value::Kind::nil:
      return call.fail("len of nil pointer");
    default:
      return call.fail(fmt::format("len of type {}", type_name(value)));
  }
}

Value index(FunctionCall& call) {
  Value value = call.arguments[0];
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    const Value& key = call.arguments[i];
    if (value.kind == Value::Kind::map) {
      if (key.kind != Value::Kind::text) return call.fail("value has type " + std::string(type_name(key)) + "; should be string");
      const Value* found = find_in_map(*value.map, key.text);
      const Value absent = value.boolean ? Value::of(std::string_view()) : Value();
      value = found == nullptr ? absent : Value(*found);
      continue;
    }
    if (value.kind == Value::Kind::nil) return call.fail("index of untyped nil");
    if (key.kind != Value::Kind::integer) return call.fail(fmt::format("cannot index slice/array with type {}", type_name(key)));
    const auto at = static_cast<std::size_t>(key.integer);
    const std::size_t size = value.kind == Value::Kind::list   ? value.list->size()
                             : value.kind == Value::Kind::text ? value.text.size()
                                                               : 0;
    if (value.kind != Value::Kind::list && value.kind != Value::Kind::text) {
      return call.fail(fmt::format("can't index item of type {}", type_name(value)));
    }
    if (key.integer < 0 || at >= size) return call.fail(fmt::format("index out of range: {}", key.integer));
    value = value.kind == Value::Kind::list ? Value((*value.list)[at])
                                            : Value::of(static_cast<std::int64_t>(static_cast<unsigned char>(value.text[at])));
  }
  return value;
}

Value slice(FunctionCall& call) {
  const Value& value = call.arguments[0];
  if (value.kind != Value::Kind::text && value.kind != Value::Kind::list)
    return call.fail(fmt::format("can't slice item of type {}", type_name(value)));
  const auto size = static_cast<std::int64_t>(value.kind == Value::Kind::text ? value.text.size() : value.list->size());
  const std::int64_t begin = call.arguments.size() > 1 ? call.integer(1) : 0;
  const std::int64_t end = call.arguments.size() > 2 ? call.integer(2) : size;
  if (begin < 0 || begin > size) return call.fail(fmt::format("index out of range: {}", begin));
  if (end < 0 || end > size) return call.fail(fmt::format("index out of range: {}", end));
  if (begin > end) return call.fail(fmt::format("invalid slice index: {} > {}", begin, end));
  if (value.kind == Value::Kind::text)
    return Value::of(value.text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  if (!call.pool.budget->spend(sizeof(Value) * static_cast<std::size_t>(end - begin))) return call.too_long();
  Value out;
  out.kind = Value::Kind::list;
  out.list = std::make_shared<Value::List>(value.list->begin() + begin, value.list->begin() + end);
  return out;
}

std::string printed(FunctionCall& call, bool always_spaces) {
  const std::vector<Value>& values = call.arguments;
  std::string out;
  for (std::size_t i = 0; i < values.size() && out.size() <= call.room(); ++i) {
    const bool texts = values[i].kind == Value::Kind::text || (i > 0 && values[i - 1].kind == Value::Kind::text);
    if (i > 0 && (always_spaces || !texts)) out += ' ';
    print_value(out, values[i]);
  }
  return out;
}
Value print(FunctionCall& call) { return call.result(printed(call, false)); }
Value println(FunctionCall& call) { return call.result(printed(call, true) + "\n"); }
Value printf(FunctionCall& call) { return call.result(go_printf(call.text(0), call.arguments, 1, call.room())); }

struct Escape {
  char from;
  std::string_view to;
};
template <std::size_t size>
std::string escaped(std::string_view text, const std::array<Escape, size>& escapes, std::size_t limit) {
  std::string out;
  for (const char c : text) {
    if (out.size() > limit) break;
    const auto found = std::find_if(escapes.begin(), escapes.end(), [&](const Escape& escape) { return escape.from == c; });
    if (found == escapes.end())
      out += c;
    else
      out += found->to;
  }
  return out;
}
Value html(FunctionCall& call) {
  constexpr std::array<Escape, 6> kEscapes = {
      {{'"', "&#34;"}, {'\'', "&#39;"}, {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\0', "\xef\xbf\xbd"}}};
  return call.result(escaped(printed(call, false), kEscapes, call.room()));
}
Value js(FunctionCall& call) {
  constexpr std::array<Escape, 11> kEscapes = {{{'\\', "\\\\"},
                                                {'\'', "\\'"},
                                                {'"', "\\\""},
                                                {'<', "\\u003C"},
                                                {'>', "\\u003E"},
                                                {'&', "\\u0026"},
                                                {'=', "\\u003D"},
                                                {'\n', "\\u000A"},
                                                {'\r', "\\u000D"},
                                                {'\t', "\\u0009"},
                                                {'\0', "\\u0000"}}};
  return call.result(escaped(printed(call, false), kEscapes, call.room()));
}
Value urlquery(FunctionCall& call) { return call.result(query_escape(printed(call, false), call.room())); }

constexpr std::array<Function, 55> kTable = {{
    {"__line__", 0, 0, line},
    {"__timestamp__", 0, 0, timestamp},
    {"b64enc", 1, 1, b64enc},
    {"b64dec", 1, 1, b64dec},
    {"urlencode", 1, 1, urlencode},
    {"urldecode", 1, 1, urldecode},
    {"bytes", 1, 1, bytes},
    {"duration", 1, 1, duration},
    {"duration_seconds", 1, 1, duration},
    {"int", 1, 1, integer},
    {"float64", 1, 1, real},
    {"add", 0, -1, folded<std::int64_t, to_integer, plus_i>},
    {"sub", 2, 2, folded<std::int64_t, to_integer, minus_i>},
    {"mul", 1, -1, folded<std::int64_t, to_integer, times_i>},
    {"div", 2, 2, divided<false>},
    {"mod", 2, 2, divided<true>},
    {"max", 1, -1, folded<std::int64_t, to_integer, larger_i>},
    {"min", 1, -1, folded<std::int64_t, to_integer, smaller_i>},
    {"addf", 0, -1, folded<double, to_real, plus_f>},
    {"subf", 1, -1, folded<double, to_real, minus_f>},
    {"mulf", 1, -1, folded<double, to_real, times_f>},
    {"divf", 1, -1, divided_real},
    {"maxf", 1, -1, folded<double, to_real, larger_f>},
    {"minf", 1, -1, folded<double, to_real, smaller_f>},
    {"ceil", 1, 1, ceiling},
    {"floor", 1, 1, flooring},
    {"round", 2, 3, rounding},
    {"fromJson", 1, 1, from_json},
    {"default", 1, -1, default_to},
    {"now", 0, 0, now},
    {"date", 2, 2, date},
    {"toDate", 2, 2, to_date},
    {"toDateInZone", 3, 3, to_date_in_zone},
    {"unixToTime", 1, 1, unix_to_time},
    {"unixEpoch", 1, 1, epoch<base::kSecond>},
    {"unixEpochMillis", 1, 1, epoch<base::kMillisecond>},
    {"unixEpochNanos", 1, 1, epoch<1>},
    {"and", 1, -1, nullptr},
    {"or", 1, -1, nullptr},
    {"not", 1, 1, negation},
    {"eq", 2, -1, equal},
    {"ne", 2, 2, not_equal},
    {"lt", 2, 2, less},
    {"le", 2, 2, less_equal},
    {"gt", 2, 2, greater},
    {"ge", 2, 2, greater_equal},
    {"len", 1, 1, length},
    {"index", 1, -1, index},
    {"slice", 1, 3, slice},
    {"print", 0, -1, print},
    {"printf", 1, -1, printf},
    {"println", 0, -1, println},
    {"html", 0, -1, html},
    {"js", 0, -1, js},
    {"urlquery", 0, -1, urlquery},
}};

}  // namespace

Value FunctionCall::fail_type(std::string_view expected, const Value& got) {
  fail(fmt::format("wrong type for value; expected {}; got {}", expected, type_name(got)));
  wrong_type = true;
  return {};
}

std::string_view FunctionCall::text(std::size_t i) {
  const Value& value = arguments[i];
  if (value.kind == Value::Kind::text) return value.text;
  if (error.empty()) fail_type("string", value);
  return {};
}

std::int64_t FunctionCall::integer(std::size_t i) {
  const Value& value = arguments[i];
  if (value.kind == Value::Kind::integer) return value.integer;
  if (value.kind == Value::Kind::real && value.real == std::floor(value.real) && std::abs(value.real) < 9e15)
    return static_cast<std::int64_t>(value.real);
  if (error.empty()) fail_type("int", value);
  return 0;
}

const Function* find_function(std::string_view name) {
  if (name.empty()) return nullptr;
  for (const std::span<const Function> table : {text_functions(), std::span<const Function>(kTable)}) {
    const auto found = std::ranges::find(table, name, &Function::name);
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

}  // namespace weir::gotemplate
