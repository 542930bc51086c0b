#include "gotemplate/verb_text.h"

#include "base/utf8.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace weir::gotemplate {
namespace {

std::string hexadecimal(std::string text, bool upper) {
  // Go writes at least two digits of the exponent.
  const std::size_t exponent = text.find('p');
  if (exponent != std::string::npos && text.size() - exponent == 3) text.insert(exponent + 2, "0");
  if (upper) std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  return text;
}

}  // namespace

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) i += std::max<std::size_t>(base::utf8_length(text.substr(i)), 1);
  return count;
}

std::string quoted(std::string_view text, char quote, bool ascii) {
  std::string out(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    const char32_t c = base::decode_utf8(text.substr(i), length);
    const std::string_view character = text.substr(i, length);
    const bool broken = c == base::kReplacement && length == 1;
    i += length;
    constexpr std::string_view kSpecial = "\a\b\f\n\r\t\v\\";
    constexpr std::string_view kNames = "abfnrtv\\";
    if (broken) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(character[0]));
    } else if (c == static_cast<char32_t>(quote)) {
      out += {'\\', quote};
    } else if (c < 0x80 && kSpecial.find(static_cast<char>(c)) != std::string_view::npos) {
      out += {'\\', kNames[kSpecial.find(static_cast<char>(c))]};
    } else if ((c < 0x80 || !ascii) && gotext::is_printable(character)) {
      out += character;
    } else if (c < ' ' || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c));
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c));
    }
  }
  return out + quote;
}

bool can_stand_in_backquotes(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    const char32_t c = base::decode_utf8(text.substr(i), length);
    if (length == 1 && (c == base::kReplacement || (c < ' ' && c != '\t') || c == '`' || c == 0x7f)) return false;
    if (c == 0xfeff) return false;
    i += length;
  }
  return true;
}

std::string format_real(double value, char verb, int precision) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  switch (verb) {
    case 'g':
      return precision < 0 ? gotext::print_float_g(value) : fmt::format("{:.{}g}", value, precision);
    case 'G': {
      std::string text = format_real(value, 'g', precision);
      std::replace(text.begin(), text.end(), 'e', 'E');
      return text;
    }
    case 'f':
      return precision < 0 ? gotext::print_float_f(value) : fmt::format("{:.{}f}", value, precision);
    case 'e':
      return fmt::format("{:.{}e}", value, precision);
    case 'E':
      return fmt::format("{:.{}E}", value, precision);
    case 'b': {
      int exponent = 0;
      const double mantissa = std::frexp(value, &exponent);
      const bool tiny = value != 0 && std::abs(value) < 0x1p-1022;
      const int shift = value == 0 || tiny ? -1074 : exponent - 53;
      const auto digits = static_cast<std::int64_t>(value == 0 ? 0 : tiny ? std::ldexp(value, 1074) : std::ldexp(mantissa, 53));
      return fmt::format("{}{}p{}{}", std::signbit(value) && digits == 0 ? "-" : "", digits, shift < 0 ? "" : "+", shift);
    }
    default:
      return hexadecimal(precision < 0 ? fmt::format("{:a}", value) : fmt::format("{:.{}a}", value, precision), verb == 'X');
  }
}

}  // namespace weir::gotemplate
