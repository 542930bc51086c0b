#include "base/quote.h"

#include "base/utf8.h"

#include <fmt/format.h>

#include <cstdint>

namespace weir::base {
namespace {

bool is_often_printable(std::string_view character) {
  std::size_t length = 0;
  const auto c = static_cast<std::uint32_t>(decode_utf8(character, length));
  if (c <= 0xa0 || c == 0xad) return false;
  if ((c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f)) return false;
  if (c == 0x1680 || c == 0x180e || c == 0x3000 || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb)) return false;
  if (c >= 0xe000 && c <= 0xf8ff) return false;
  return (c & 0xfffe) != 0xfffe && c < 0xe0000;
}

void append_ascii(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  if (c >= 0x20 && c < 0x7f) {
    out += c;
  } else {
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view text, Printable printable) {
  out += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length < 2) {  // ASCII, or a byte that is not UTF-8
      append_ascii(out, text[0]);
      text.remove_prefix(1);
      continue;
    }
    const std::string_view character = text.substr(0, length);
    text.remove_prefix(length);
    if (printable(character)) {
      out += character;
      continue;
    }
    std::size_t ignored = 0;
    const auto code = static_cast<std::uint32_t>(decode_utf8(character, ignored));
    out += code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
  }
  out += '"';
}

void append_quoted(std::string& out, std::string_view text) { append_quoted(out, text, is_often_printable); }

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace weir::base
