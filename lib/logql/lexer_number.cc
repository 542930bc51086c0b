#include "logql/lexer_number.h"

#include "base/hex.h"

#include <fmt/format.h>

namespace weir::logql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Whether each `_` stands between digits, or between a prefix and a digit.
bool separates_digits(std::string_view text) {
  const char prefix = text.size() >= 2 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : '\0';
  const bool prefixed = prefix == 'x' || prefix == 'o' || prefix == 'b';
  bool digit = prefixed;
  for (std::size_t i = prefixed ? 2 : 0; i < text.size(); ++i) {
    const bool is = is_digit(text[i]) || (prefix == 'x' && base::is_hex_digit(text[i]));
    if (text[i] == '_' ? !digit : !is && i > 0 && text[i - 1] == '_') return false;
    digit = is;
  }
  return text.back() != '_';
}

}  // namespace

std::size_t number_end(std::string_view query, std::size_t position, std::string& why) {
  const auto at = [query](std::size_t index) { return index < query.size() ? query[index] : '\0'; };
  std::size_t i = position;
  int base = 10;
  char prefix = 0;  // 0: decimal; '0': octal by a leading zero; x, o, b
  bool any = false, separated = false;
  char bad_digit = 0;
  const auto complain = [&](std::string text) {
    if (why.empty()) why = std::move(text);
  };
  const auto name = [&] {
    const std::string_view kind = prefix == 'x' ? "hexadecimal" : prefix == 'b' ? "binary" : prefix == 0 ? "decimal" : "octal";
    return std::string(kind) + " literal";
  };
  // Decimal digits beyond the base are read, too, and named at the end. False: there was none.
  const auto digits = [&](int of, bool checked) {
    bool some = false;
    for (;; ++i) {
      if (at(i) == '_') {
        separated = true;
      } else if (is_digit(at(i)) || (of == 16 && base::is_hex_digit(at(i)))) {
        some = true;
        if (checked && of <= 10 && at(i) >= '0' + of && bad_digit == 0) bad_digit = at(i);
      } else {
        return some;
      }
    }
  };
  bool fraction = at(i) == '.';
  if (!fraction) {
    if (at(i) == '0') {
      const char mark = static_cast<char>(at(i + 1) | 0x20);
      ++i;
      if (mark == 'x' || mark == 'o') {
        base = mark == 'x' ? 16 : 8;
        prefix = mark;
        ++i;
      } else if (mark == 'b') {
        // Loki's scanner looks at the character before the blanks in front of a number, not at the one behind the b.
        if (position > 0 && is_blank(at(position - 1))) {
          why = "decimal literal has no digits";
          return i;
        }
        base = 2;
        prefix = mark;
        ++i;
      } else {
        base = 8;
        prefix = '0';
        any = true;
      }
    }
    any = digits(base, true) || any;
    fraction = at(i) == '.';
  }
  bool exponent = false;
  if (fraction) {
    ++i;
    if (prefix == 'o' || prefix == 'b') complain("invalid radix point in " + name());
    any = digits(base, true) || any;
  }
  if (!any) complain(name() + " has no digits");
  const char mark = static_cast<char>(at(i) | 0x20);
  if (mark == 'e' || mark == 'p') {
    if (mark == 'e' && prefix != 0 && prefix != '0') complain(fmt::format("'{}' exponent requires decimal mantissa", at(i)));
    if (mark == 'p' && prefix != 'x') complain(fmt::format("'{}' exponent requires hexadecimal mantissa", at(i)));
    exponent = true;
    ++i;
    if (at(i) == '+' || at(i) == '-') ++i;
    if (!digits(10, false)) complain("exponent has no digits");
  } else if (prefix == 'x' && fraction) {
    complain("hexadecimal mantissa requires a 'p' exponent");
  }
  if (!fraction && !exponent && bad_digit != 0) complain(fmt::format("invalid digit '{}' in {}", bad_digit, name()));
  if (separated && !separates_digits(query.substr(position, i - position))) complain("'_' must separate successive digits");
  return i;
}

}  // namespace weir::logql
