#include "gotext/unicode.h"

#include "base/quote.h"
#include "base/utf8.h"

#include <re2/re2.h>

#include <fmt/format.h>

#include <cwctype>

#include <locale.h>
#include <clocale>

namespace weir::gotext {
namespace {

// The character classes of RE2 carry the Unicode tables.
bool in_class(const re2::RE2& pattern, std::string_view character) {
  return re2::RE2::FullMatch(re2::StringPiece(character.data(), character.size()), pattern);
}

// The C library knows the case of every character in any UTF-8 locale; C.UTF-8 is part of libc itself.
locale_t utf8_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

template <typename Ascii, typename Wide>
std::string map_characters(std::string_view text, Ascii ascii, Wide wide) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      out += ascii(text[i]);
      ++i;
      continue;
    }
    std::size_t length = 0;
    const char32_t character = base::decode_utf8(text.substr(i), length);
    base::append_utf8(out, utf8_locale() == nullptr ? character : static_cast<char32_t>(wide(static_cast<wint_t>(character))));
    i += length;
  }
  return out;
}

}  // namespace

bool is_letter(std::string_view character) {
  static const re2::RE2 pattern("\\pL");
  return in_class(pattern, character);
}

bool is_decimal_digit(std::string_view character) {
  static const re2::RE2 pattern("\\p{Nd}");
  return in_class(pattern, character);
}

bool is_printable(std::string_view character) {
  if (character.size() == 1) return character[0] >= ' ' && character[0] <= '~';
  static const re2::RE2 pattern("[\\pL\\pM\\pN\\pP\\pS]");
  return in_class(pattern, character);
}

bool is_space(char32_t character) {
  if (character < 0x80) return character == ' ' || (character >= '\t' && character <= '\r');
  return character == 0x85 || character == 0xa0 || character == 0x1680 || (character >= 0x2000 && character <= 0x200a) ||
         character == 0x2028 || character == 0x2029 || character == 0x202f || character == 0x205f || character == 0x3000;
}

std::string_view trim_space(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = 0;
    if (!is_space(base::decode_utf8(text, length))) break;
    text.remove_prefix(length);
  }
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    std::size_t length = 0;
    if (!is_space(base::decode_utf8(text.substr(begin), length)) || begin + length != text.size()) break;
    text.remove_suffix(length);
  }
  return text;
}

void append_quoted(std::string& out, std::string_view text) { base::append_quoted(out, text, is_printable); }

std::string quote(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

std::string to_upper(std::string_view text) {
  return map_characters(
      text, [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; },
      [](wint_t c) { return towupper_l(c, utf8_locale()); });
}

std::string to_lower(std::string_view text) {
  return map_characters(
      text, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; },
      [](wint_t c) { return towlower_l(c, utf8_locale()); });
}

std::string fold_case(std::string_view text) {
  return map_characters(
      text, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; },
      [](wint_t c) {
        const wint_t folded = towlower_l(c, utf8_locale());
        const auto length = [](wint_t one) { return one < 0x80 ? 1 : one < 0x800 ? 2 : one < 0x10000 ? 3 : 4; };
        return length(folded) == length(c) ? folded : c;
      });
}

}  // namespace weir::gotext
