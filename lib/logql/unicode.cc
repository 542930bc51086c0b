#include "logql/unicode.h"

#include <re2/re2.h>

#include <fmt/format.h>

#include <cstring>
#include <cwctype>

#include <clocale>
#include <locale.h>

namespace weir::logql {
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
    const char32_t character = decode_utf8(text.substr(i), length);
    append_utf8(out, utf8_locale() == nullptr ? character : static_cast<char32_t>(wide(static_cast<wint_t>(character))));
    i += length;
  }
  return out;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  std::size_t length = 0;
  const char32_t character = decode_utf8(text, length);
  return character == kReplacement && length == 1 ? 0 : length;
}

char32_t decode_utf8(std::string_view text, std::size_t& length) {
  const auto byte = [&](std::size_t i) -> std::uint32_t { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const std::uint32_t first = byte(0);
  length = 1;
  if (first < 0x80) return first;
  if (first >= 0xc2 && first <= 0xdf && follows(1)) {
    length = 2;
    return (first & 0x1f) << 6 | (byte(1) & 0x3f);
  }
  if (first >= 0xe0 && first <= 0xef && follows(1) && follows(2)) {
    const std::uint32_t character = (first & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    if (character >= 0x800 && (character < 0xd800 || character > 0xdfff)) {
      length = 3;
      return character;
    }
  }
  if (first >= 0xf0 && first <= 0xf4 && follows(1) && follows(2) && follows(3)) {
    const std::uint32_t character = (first & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
    if (character >= 0x10000 && character <= 0x10ffff) {
      length = 4;
      return character;
    }
  }
  return kReplacement;
}

void append_utf8(std::string& out, char32_t character) {
  if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) character = kReplacement;
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xc0 | character >> 6);
    out += static_cast<char>(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    out += static_cast<char>(0xe0 | character >> 12);
    out += static_cast<char>(0x80 | (character >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (character & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | character >> 18);
    out += static_cast<char>(0x80 | (character >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (character >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (character & 0x3f));
  }
}

bool is_ascii(std::string_view text) {
  std::size_t i = 0;
  for (; i + 32 <= text.size(); i += 32) {
    std::uint64_t words[4];
    std::memcpy(words, text.data() + i, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080) != 0) return false;
  }
  for (; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
  }
  return true;
}

bool is_utf8(std::string_view text) {
  if (is_ascii(text)) return true;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

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

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    const char32_t character = decode_utf8(text.substr(i), length);
    const std::string_view bytes = text.substr(i, length);
    i += length;
    if (character == kReplacement && length == 1) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
      continue;
    }
    switch (character) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\a': out += "\\a"; continue;
      case '\b': out += "\\b"; continue;
      case '\f': out += "\\f"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case '\v': out += "\\v"; continue;
      default: break;
    }
    if (is_printable(bytes)) {
      out += bytes;
    } else if (character < 0x80) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(character));
    } else if (character < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(character));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(character));
    }
  }
  out += '"';
}

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

}  // namespace weir::logql
