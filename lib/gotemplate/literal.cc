#include "gotemplate/literal.h"

#include "base/utf8.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weir::gotemplate {
namespace {

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

// Reads one character or escape of `text`, of a literal in `quote`. `byte`: it is a byte, not a character.
std::optional<char32_t> unquote_one(std::string_view& text, char quote, bool& byte) {
  byte = false;
  if (text.empty() || text[0] == quote) return std::nullopt;
  if (text[0] != '\\') {
    std::size_t length = 0;
    const char32_t c = base::decode_utf8(text, length);
    text.remove_prefix(length);
    return c;
  }
  if (text.size() < 2) return std::nullopt;
  const char escape = text[1];
  text.remove_prefix(2);
  constexpr std::string_view kNames = "abfnrtv\\";
  constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\";
  if (const std::size_t known = kNames.find(escape); known != std::string_view::npos) return static_cast<char32_t>(kBytes[known]);
  if (escape == quote) return static_cast<char32_t>(quote);
  const bool octal = escape >= '0' && escape <= '7';
  const std::size_t count = octal ? 2 : escape == 'x' ? 2 : escape == 'u' ? 4 : escape == 'U' ? 8 : 0;
  if (count == 0 || text.size() < count) return std::nullopt;
  std::uint32_t value = octal ? static_cast<std::uint32_t>(escape - '0') : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int digit = digit_value(text[i]);
    if (digit >= (octal ? 8 : 16)) return std::nullopt;
    value = value * (octal ? 8 : 16) + static_cast<std::uint32_t>(digit);
  }
  text.remove_prefix(count);
  byte = octal || escape == 'x';
  if (octal && value > 255) return std::nullopt;
  if (!byte && (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))) return std::nullopt;
  return static_cast<char32_t>(value);
}

// Underscores stand between digits, or behind a prefix, and only where there is a prefix of the base.
bool underscores_ok(std::string_view text) {
  char before = '^';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  bool hex = false;
  if (text.size() >= 2 && text[0] == '0') {
    const char base = static_cast<char>(text[1] | 0x20);
    if (base == 'b' || base == 'o' || base == 'x') {
      before = '0';
      hex = base == 'x';
      text.remove_prefix(2);
    }
  }
  for (const char c : text) {
    if (digit_value(c) < (hex ? 16 : 10)) {
      before = '0';
    } else if (c == '_') {
      if (before != '0') return false;
      before = '_';
    } else {
      if (before == '_') return false;
      before = '!';
    }
  }
  return before != '_';
}

}  // namespace

std::optional<std::string> unquote(std::string_view quoted) {
  const char quote = quoted.front();
  quoted = quoted.substr(1, quoted.size() - 2);
  std::string out;
  if (quote == '`') {
    for (const char c : quoted) {
      if (c != '\r') out += c;
    }
    return out;
  }
  while (!quoted.empty()) {
    bool byte = false;
    const auto c = unquote_one(quoted, quote, byte);
    if (!c) return std::nullopt;
    if (byte)
      out += static_cast<char>(*c);
    else
      base::append_utf8(out, *c);
  }
  return out;
}

std::string read_character(std::string_view text, Node& out) {
  std::string_view rest = text.substr(1);
  bool byte = false;
  const auto c = unquote_one(rest, '\'', byte);
  if (!c) return "invalid syntax";
  if (rest != "'") return fmt::format("malformed character constant: {}", text);
  out.is_integer = out.is_unsigned = out.is_real = true;
  out.integer = static_cast<std::int64_t>(*c);
  out.real = static_cast<double>(*c);
  return "";
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  if (text.empty() || !underscores_ok(text)) return std::nullopt;
  unsigned base = 10;
  std::string_view digits = text;
  if (text[0] == '0') {
    const char mark = text.size() >= 3 ? static_cast<char>(text[1] | 0x20) : '\0';
    base = mark == 'b' ? 2 : mark == 'o' ? 8 : mark == 'x' ? 16 : 8;
    digits = text.substr(mark == 'b' || mark == 'o' || mark == 'x' ? 2 : 1);
  }
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c == '_') continue;
    const int digit = digit_value(c);
    if (static_cast<unsigned>(digit) >= base) return std::nullopt;
    if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, static_cast<std::uint64_t>(digit), &value))
      return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto value = parse_unsigned(text);
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
  if (!value || *value > kLimit || (!negative && *value == kLimit)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? ~*value + 1 : *value);
}

std::string read_number(std::string_view text, Node& out) {
  if (text.ends_with('i') && gotext::parse_float(text.substr(0, text.size() - 1)))
    return fmt::format("complex numbers are not supported: {}", text);
  const auto whole = parse_unsigned(text);
  const auto integer = parse_integer(text);
  out.is_integer = integer.has_value();
  out.is_unsigned = whole.has_value() || integer == 0;
  out.is_real = out.is_integer || out.is_unsigned;
  out.integer = integer.value_or(0);
  out.real = out.is_integer ? static_cast<double>(*integer) : whole ? static_cast<double>(*whole) : 0;
  if (out.is_real) return "";
  const auto real = gotext::parse_float(text);
  if (!real) return fmt::format("illegal number syntax: {}", gotext::quote(text));
  if (text.find_first_of(".eEpP") == std::string_view::npos) return fmt::format("integer overflow: {}", gotext::quote(text));
  out.is_real = true;
  out.real = *real;
  if (*real >= -0x1p63 && *real < 0x1p63 && std::trunc(*real) == *real) {
    out.is_integer = true;
    out.integer = static_cast<std::int64_t>(*real);
  }
  out.is_unsigned = *real >= 0 && *real < 0x1p64 && std::trunc(*real) == *real;
  return "";
}

std::string_view trim_space(std::string_view text) {
  const auto is_space = [](char32_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
  };
  while (!text.empty()) {
    std::size_t length = 0;
    if (!is_space(base::decode_utf8(text, length))) break;
    text.remove_prefix(length);
  }
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    std::size_t length = 0;
    const char32_t last = base::decode_utf8(text.substr(begin), length);
    if (length != text.size() - begin || !is_space(last)) break;
    text.remove_suffix(length);
  }
  return text;
}

}  // namespace weir::gotemplate
