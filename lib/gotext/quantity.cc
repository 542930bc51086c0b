#include "gotext/quantity.h"

#include "gotext/unicode.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>

namespace weir::gotext {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != b[i]) return false;
  }
  return true;
}

// Removes the `_` between digits that Go allows in numbers; nullopt when one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  const std::size_t sign = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  const bool hex = text.size() > sign + 1 && text[sign] == '0' && lower(text[sign + 1]) == 'x';
  const auto is = [&](std::size_t i) {
    return i < text.size() && (hex ? std::isxdigit(static_cast<unsigned char>(text[i])) != 0 : is_digit(text[i]));
  };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
      continue;
    }
    const bool behind_prefix = hex && i == sign + 2;
    if (i == 0 || !(is(i - 1) || behind_prefix) || !is(i + 1)) return std::nullopt;
  }
  return plain;
}

enum class FloatError : std::uint8_t { none, syntax, range };

FloatError parse_unsigned_float(std::string_view text, double& value) {
  if (text.empty()) return FloatError::syntax;
  auto format = std::chars_format::general;
  if (text.size() > 2 && text[0] == '0' && lower(text[1]) == 'x') {
    if (text.find_first_of("pP") == std::string_view::npos) return FloatError::syntax;
    text.remove_prefix(2);
    format = std::chars_format::hex;
  } else if (!is_digit(text[0]) && text[0] != '.') {
    return FloatError::syntax;  // from_chars would take "nan(...)" and the like
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, format);
  if (end != text.data() + text.size()) return FloatError::syntax;
  if (error == std::errc::result_out_of_range) {
    // Go reports overflow but rounds what is too small to zero; from_chars calls both out of range.
    const std::string whole = (format == std::chars_format::hex ? "0x" : "") + std::string(text);
    value = std::strtod(whole.c_str(), nullptr);
    return std::abs(value) > 1 ? FloatError::range : FloatError::none;
  }
  return error == std::errc() ? FloatError::none : FloatError::syntax;
}

FloatError parse_float(std::string_view text, double& value) {
  std::string plain;
  if (text.find('_') != std::string_view::npos) {
    auto cleaned = without_underscores(text);
    if (!cleaned) return FloatError::syntax;
    plain = std::move(*cleaned);
    text = plain;
  }
  if (equals_ignoring_case(text, "nan")) {
    value = std::numeric_limits<double>::quiet_NaN();
    return FloatError::none;
  }
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  FloatError error = FloatError::none;
  if (equals_ignoring_case(text, "inf") || equals_ignoring_case(text, "infinity")) {
    value = std::numeric_limits<double>::infinity();
  } else {
    error = parse_unsigned_float(text, value);
  }
  if (negative) value = -value;
  return error;
}

std::string print_non_finite(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

// Go's 'e' form with at least two digits in the exponent.
std::string print_scientific(double value) {
  std::array<char, 64> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  return {buffer.data(), result.ptr};
}

int decimal_exponent(double value) {
  if (value == 0) return 0;
  const std::string text = print_scientific(value);
  return std::atoi(text.c_str() + text.find('e') + 1);
}

struct GoUnit {
  std::string_view name;
  std::uint64_t nanoseconds;
};
constexpr std::array<GoUnit, 8> kGoUnits = {{{"ns", 1},
                                             {"us", 1'000},
                                             {"\xc2\xb5s", 1'000},  // µ, micro sign
                                             {"\xce\xbcs", 1'000},  // μ, Greek letter
                                             {"ms", 1'000'000},
                                             {"s", 1'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"h", 3'600'000'000'000}}};

}  // namespace

std::optional<double> parse_float(std::string_view text) {
  double value = 0;
  return parse_float(text, value) == FloatError::none ? std::optional(value) : std::nullopt;
}

std::string print_float_f(double value) {
  if (!std::isfinite(value)) return print_non_finite(value);
  const std::string scientific = print_scientific(std::abs(value));
  const int exponent = decimal_exponent(value);
  std::string digits;  // to_chars would print large numbers with all their digits, Go puts zeros behind the shortest ones
  for (const char c : std::string_view(scientific).substr(0, scientific.find('e'))) {
    if (c != '.') digits += c;
  }
  const std::string sign = std::signbit(value) ? "-" : "";
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0');
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string print_float_g(double value) {
  if (!std::isfinite(value)) return print_non_finite(value);
  // For the shortest form Go fixes the precision that decides about the exponent at 6.
  const int exponent = decimal_exponent(value);
  return exponent < -4 || exponent >= 6 ? print_scientific(value) : print_float_f(value);
}

std::optional<base::Duration> parse_go_duration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
  std::uint64_t total = 0;
  while (!text.empty()) {
    std::uint64_t whole = 0;
    std::size_t digits = 0;
    std::size_t i = 0;
    for (; i < text.size() && is_digit(text[i]); ++i, ++digits) {
      if (whole > kLimit / 10) return std::nullopt;
      whole = whole * 10 + static_cast<std::uint64_t>(text[i] - '0');
      if (whole > kLimit) return std::nullopt;
    }
    double fraction = 0;
    double scale = 1;
    if (i < text.size() && text[i] == '.') {
      ++i;
      for (; i < text.size() && is_digit(text[i]); ++i, ++digits) {
        if (scale > 1e17) continue;  // below a nanosecond of any unit
        fraction = fraction * 10 + (text[i] - '0');
        scale *= 10;
      }
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(i);
    std::size_t length = 0;
    while (length < text.size() && text[length] != '.' && !is_digit(text[length])) ++length;
    const std::string_view name = text.substr(0, length);
    std::uint64_t unit = 0;
    for (const GoUnit& candidate : kGoUnits) {
      if (candidate.name == name) unit = candidate.nanoseconds;
    }
    if (unit == 0) return std::nullopt;
    text.remove_prefix(length);
    if (whole > kLimit / unit) return std::nullopt;
    whole *= unit;
    if (fraction > 0) whole += static_cast<std::uint64_t>(fraction * (static_cast<double>(unit) / scale));
    if (whole > kLimit) return std::nullopt;
    total += whole;
    if (total > kLimit) return std::nullopt;
  }
  if (negative) return static_cast<base::Duration>(~total + 1);
  if (total > kLimit - 1) return std::nullopt;
  return static_cast<base::Duration>(total);
}

std::string print_go_duration(base::Duration duration) {
  if (duration == 0) return "0s";
  const bool negative = duration < 0;
  const auto total = negative ? ~static_cast<std::uint64_t>(duration) + 1 : static_cast<std::uint64_t>(duration);
  // `value` units of 10^-digits each, without trailing zeros.
  auto decimal = [](std::uint64_t whole, std::uint64_t rest, int digits) {
    std::string text = fmt::format("{}", whole);
    if (rest == 0) return text;
    std::string fraction = fmt::format("{:0{}}", rest, digits);
    while (fraction.back() == '0') fraction.pop_back();
    return text + "." + fraction;
  };
  std::string text;
  if (total < 1'000) {
    text = fmt::format("{}ns", total);
  } else if (total < 1'000'000) {
    text = decimal(total / 1'000, total % 1'000, 3) + "\xc2\xb5s";
  } else if (total < 1'000'000'000) {
    text = decimal(total / 1'000'000, total % 1'000'000, 6) + "ms";
  } else {
    const std::uint64_t seconds = total / 1'000'000'000;
    const std::uint64_t minutes = seconds / 60;
    if (minutes >= 60) text += fmt::format("{}h", minutes / 60);
    if (minutes > 0) text += fmt::format("{}m", minutes % 60);
    text += decimal(seconds % 60, total % 1'000'000'000, 9) + "s";
  }
  return negative ? "-" + text : text;
}

double go_seconds(base::Duration duration) {
  return static_cast<double>(duration / base::kSecond) + static_cast<double>(duration % base::kSecond) / 1e9;
}

namespace {
struct RangeUnit {
  std::string_view name;
  base::Duration nanoseconds;
};
constexpr base::Duration kDay = 24 * base::kHour;
constexpr std::array<RangeUnit, 7> kRangeUnits = {{{"y", 365 * kDay},
                                                   {"w", 7 * kDay},
                                                   {"d", kDay},
                                                   {"h", base::kHour},
                                                   {"m", base::kMinute},
                                                   {"s", base::kSecond},
                                                   {"ms", base::kMillisecond}}};
}  // namespace

std::optional<base::Duration> parse_range_duration(std::string_view text, std::string* why) {
  auto refuse = [&](std::string reason) -> std::optional<base::Duration> {
    if (why != nullptr) *why = std::move(reason);
    return std::nullopt;
  };
  if (text.empty()) return refuse("empty duration string");
  if (text == "0") return 0;
  base::Duration total = 0;
  std::size_t next_unit = 0;
  for (std::string_view rest = text; !rest.empty();) {
    std::size_t digits = 0;
    base::Duration number = 0;
    bool overflow = false;
    while (digits < rest.size() && is_digit(rest[digits])) {
      overflow =
          overflow || __builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, rest[digits] - '0', &number);
      ++digits;
    }
    if (digits == 0 || digits == rest.size()) return refuse(fmt::format("not a valid duration string: {}", quote(text)));
    rest.remove_prefix(digits);
    std::size_t length = 0;
    while (length < rest.size() && !is_digit(rest[length])) ++length;
    const std::string_view name = rest.substr(0, length);
    std::size_t unit = 0;
    while (unit < kRangeUnits.size() && kRangeUnits[unit].name != name) ++unit;
    if (unit == kRangeUnits.size()) return refuse(fmt::format("unknown unit {} in duration {}", quote(name), quote(text)));
    if (unit < next_unit) return refuse(fmt::format("not a valid duration string: {}", quote(text)));
    next_unit = unit + 1;
    rest.remove_prefix(length);
    if (overflow || __builtin_mul_overflow(number, kRangeUnits[unit].nanoseconds, &number) ||
        __builtin_add_overflow(total, number, &total)) {
      return refuse("duration out of range");
    }
  }
  return total;
}

std::string print_range_duration(base::Duration duration) {
  base::Duration rest = duration / base::kMillisecond * base::kMillisecond;
  if (rest == 0) return "0s";
  std::string text;
  if (rest < 0) {
    text = "-";
    rest = -rest;
  }
  for (const RangeUnit& unit : kRangeUnits) {
    if (rest < unit.nanoseconds) continue;
    // Years and weeks appear only alone: 8 days are "8d", not "1w1d".
    if ((unit.name == "y" || unit.name == "w") && rest % unit.nanoseconds != 0) continue;
    text += fmt::format("{}{}", rest / unit.nanoseconds, unit.name);
    rest %= unit.nanoseconds;
  }
  return text;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::size_t split = 0;
  bool has_comma = false;
  while (split < text.size() && (is_digit(text[split]) || text[split] == '.' || text[split] == ',')) {
    has_comma = has_comma || text[split] == ',';
    ++split;
  }
  std::string plain;
  std::string_view number = text.substr(0, split);
  if (has_comma) {
    for (const char c : number) {
      if (c != ',') plain += c;
    }
    number = plain;
  }
  const auto value = parse_float(number);
  if (!value) return std::nullopt;
  std::string_view unit = text.substr(split);
  unit = trim_space(unit);
  double factor = 1;
  if (!unit.empty() && !equals_ignoring_case(unit, "b")) {
    constexpr std::string_view kPrefixes = "kmgtpe";
    const std::size_t power = kPrefixes.find(lower(unit.front()));
    if (power == std::string_view::npos) return std::nullopt;
    const std::string_view tail = unit.substr(1);
    double step = 0;
    if (tail.empty() || equals_ignoring_case(tail, "b")) step = 1000;
    if (equals_ignoring_case(tail, "i") || equals_ignoring_case(tail, "ib")) step = 1024;
    if (step == 0) return std::nullopt;
    for (std::size_t i = 0; i <= power; ++i) factor *= step;
  }
  const double result = *value * factor;
  if (!(result < 18446744073709551615.0)) return std::nullopt;
  return static_cast<std::uint64_t>(result);
}

std::string print_bytes(std::uint64_t bytes) {
  if (bytes < 10) return fmt::format("{}B", bytes);
  constexpr std::array<std::string_view, 7> kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  const double power = std::floor(std::log(value) / std::log(1000.0));
  value = std::floor(value / std::pow(1000.0, power) * 10 + 0.5) / 10;
  const std::string_view unit = kUnits[static_cast<std::size_t>(power)];
  return value < 10 ? fmt::format("{:.1f}{}", value, unit) : fmt::format("{:.0f}{}", value, unit);
}

std::string float_complaint(std::string_view text) {
  double value = 0;
  const bool range = parse_float(text, value) == FloatError::range;
  return fmt::format("strconv.ParseFloat: parsing {}: {}", quote(text), range ? "value out of range" : "invalid syntax");
}

// As Go's time package quotes in its errors.
std::string quote_bytes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x80) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + '"';
}

std::string duration_complaint(std::string_view text) {
  const auto is_number = [](char c) { return is_digit(c) || c == '.'; };
  std::string_view rest = text;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) rest.remove_prefix(1);
  while (!rest.empty() && is_number(rest.front())) {
    std::size_t whole = 0;  // digits before the point
    while (whole < rest.size() && is_digit(rest[whole])) ++whole;
    std::size_t end = whole;
    if (end < rest.size() && rest[end] == '.') {
      ++end;
      while (end < rest.size() && is_digit(rest[end])) ++end;
    }
    std::uint64_t value = 0;
    const auto overflow = std::from_chars(rest.data(), rest.data() + whole, value).ec == std::errc::result_out_of_range;
    if (end == 1 && whole == 0) break;  // a point alone
    if (overflow || value > std::uint64_t{1} << 63) break;
    rest.remove_prefix(end);
    std::size_t unit = 0;
    while (unit < rest.size() && !is_number(rest[unit])) ++unit;
    const std::string_view name = rest.substr(0, unit);
    if (name.empty()) return fmt::format("time: missing unit in duration {}", quote_bytes(text));
    if (!parse_go_duration("1" + std::string(name))) {
      return fmt::format("time: unknown unit {} in duration {}", quote_bytes(name), quote_bytes(text));
    }
    rest.remove_prefix(unit);
  }
  return fmt::format("time: invalid duration {}", quote_bytes(text));
}

std::string bytes_complaint(std::string_view text) {
  const std::string_view number = text.substr(0, std::min(text.find_first_not_of("0123456789.,"), text.size()));
  std::string plain(number);
  std::erase(plain, ',');
  if (!parse_float(plain)) return float_complaint(plain);
  const std::string unit = to_lower(trim_space(text.substr(number.size())));
  if (parse_bytes("1" + unit)) return fmt::format("too large: {}", text);
  return "unhandled size name: " + unit;
}

}  // namespace weir::gotext
