#include "gotemplate/functions.h"
#include "gotext/decimal.h"
#include "gotext/quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

namespace weir::gotemplate {
namespace {

using Kind = Value::Kind;

Value bytes(FunctionCall& call) {
  const auto value = gotext::parse_bytes(call.text(0));
  if (!value) return call.fail(gotext::bytes_complaint(call.text(0)));
  return Value::of(static_cast<double>(*value));
}
Value duration(FunctionCall& call) {
  const auto value = gotext::parse_go_duration(call.text(0));
  if (!value) return call.fail(gotext::duration_complaint(call.text(0)));
  return Value::of(static_cast<double>(*value / base::kSecond) + static_cast<double>(*value % base::kSecond) / 1e9);
}
Value integer(FunctionCall& call) { return Value::of(to_integer(call.arguments[0])); }
Value real(FunctionCall& call) { return Value::of(to_real(call.arguments[0])); }

template <typename Number, Number (*Convert)(const Value&), Number (*Combine)(Number, Number)>
Value folded(FunctionCall& call) {
  Number result = call.arguments.empty() ? Number{} : Convert(call.arguments[0]);
  for (std::size_t i = 1; i < call.arguments.size(); ++i) result = Combine(result, Convert(call.arguments[i]));
  if constexpr (std::is_same_v<Number, double>)
    return Value::of(result);
  else
    return Value::of(Kind::integer64, result);
}
// Overflow wraps, as in Go.
std::int64_t wrap(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::int64_t plus(std::int64_t a, std::int64_t b) { return wrap(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b)); }
std::int64_t minus(std::int64_t a, std::int64_t b) { return wrap(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)); }
std::int64_t times(std::int64_t a, std::int64_t b) { return wrap(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b)); }
std::int64_t larger(std::int64_t a, std::int64_t b) { return std::max(a, b); }
std::int64_t smaller(std::int64_t a, std::int64_t b) { return std::min(a, b); }

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
double larger_real(double a, double b) {
  if (std::isinf(a) && a > 0) return a;
  if (std::isinf(b) && b > 0) return b;
  if (std::isnan(a) || std::isnan(b)) return kNan;
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}
double smaller_real(double a, double b) {
  if (std::isinf(a) && a < 0) return a;
  if (std::isinf(b) && b < 0) return b;
  if (std::isnan(a) || std::isnan(b)) return kNan;
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

template <bool remainder>
Value divided(FunctionCall& call) {
  const std::int64_t a = to_integer(call.arguments[0]);
  const std::int64_t b = to_integer(call.arguments[1]);
  if (b == 0) return call.fail("runtime error: integer divide by zero");
  if (b == -1) return Value::of(Kind::integer64, remainder ? 0 : minus(0, a));
  return Value::of(Kind::integer64, remainder ? a % b : a / b);
}

// Arithmetic in decimals. `zero`: it begins with 0, not with the first argument.
template <typename Combine>
Value in_decimals(FunctionCall& call, bool zero, Combine combine) {
  gotext::Decimal result(0.0);
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const double value = to_real(call.arguments[i]);
    if (!std::isfinite(value))
      return call.fail(fmt::format("Cannot create a Decimal from {}", std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"));
    const gotext::Decimal operand(value);
    if (i == 0 && !zero)
      result = operand;
    else if (!combine(result, operand))
      return call.fail("decimal division by 0");
    if (!call.pool.budget->spend(i > 1 ? result.size() : 0)) return call.too_long();
  }
  return Value::of(result.to_double());
}
Value decimal_sum(FunctionCall& call) {
  return in_decimals(call, true, [](gotext::Decimal& a, const gotext::Decimal& b) {
    a += b;
    return true;
  });
}
Value decimal_difference(FunctionCall& call) {
  return in_decimals(call, false, [](gotext::Decimal& a, const gotext::Decimal& b) {
    a -= b;
    return true;
  });
}
Value decimal_product(FunctionCall& call) {
  return in_decimals(call, false, [](gotext::Decimal& a, const gotext::Decimal& b) {
    a *= b;
    return true;
  });
}
Value decimal_quotient(FunctionCall& call) {
  return in_decimals(call, false, [](gotext::Decimal& a, const gotext::Decimal& b) {
    if (b.is_zero()) return false;
    a /= b;
    return true;
  });
}

Value ceiling(FunctionCall& call) { return Value::of(std::ceil(to_real(call.arguments[0]))); }
Value flooring(FunctionCall& call) { return Value::of(std::floor(to_real(call.arguments[0]))); }
Value rounding(FunctionCall& call) {
  const double scale = std::pow(10.0, static_cast<double>(call.integer(1)));
  const double half = call.arguments.size() > 2 ? call.arguments[2].real : 0.5;
  const double scaled = scale * to_real(call.arguments[0]);
  double whole = 0;
  const double fraction = std::isinf(scaled) ? kNan : std::modf(scaled, &whole);
  return Value::of((fraction >= half ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

constexpr std::array<Function, 21> kTable = {{
    {"bytes", "s", bytes},
    {"duration", "s", duration},
    {"duration_seconds", "s", duration},
    {"int", "a", integer},
    {"float64", "a", real},
    {"add", "a*", folded<std::int64_t, to_integer, plus>},
    {"sub", "aa", folded<std::int64_t, to_integer, minus>},
    {"mul", "aa*", folded<std::int64_t, to_integer, times>},
    {"div", "aa", divided<false>},
    {"mod", "aa", divided<true>},
    {"max", "aa*", folded<std::int64_t, to_integer, larger>},
    {"min", "aa*", folded<std::int64_t, to_integer, smaller>},
    {"addf", "a*", decimal_sum},
    {"subf", "aa*", decimal_difference},
    {"mulf", "aa*", decimal_product},
    {"divf", "aa*", decimal_quotient},
    {"maxf", "aa*", folded<double, to_real, larger_real>},
    {"minf", "aa*", folded<double, to_real, smaller_real>},
    {"ceil", "a", ceiling},
    {"floor", "a", flooring},
    {"round", "aif*", rounding},
}};

}  // namespace

std::span<const Function> number_functions() { return kTable; }

}  // namespace weir::gotemplate
