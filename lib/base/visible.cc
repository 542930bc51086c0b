#include "base/visible.h"

#include <fmt/format.h>

#include <cstdint>

namespace weir::base {
namespace {

struct Character {
  std::size_t size = 0;  // 0: no UTF-8
  std::uint32_t code = 0;
};

// RFC 3629.
Character character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || size > text.size()) return {};
  std::uint32_t code = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return {};
  return {size, code};
}

bool is_harmful(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::size_t visible_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c >= 0x20 && c < 0x7f) {
      ++at;
      continue;
    }
    const Character next = character(text.substr(at));
    if (next.size == 0 || is_harmful(next.code)) break;
    at += next.size;
  }
  return at;
}

std::size_t append_escape(std::string& out, std::string_view text) {
  switch (text[0]) {
    case '\n': out += "\\n"; return 1;
    case '\t': out += "\\t"; return 1;
    case '\r': out += "\\r"; return 1;
    default: break;
  }
  const Character next = character(text);
  if (next.size > 1) {
    out += fmt::format("\\u{:04x}", next.code);
    return next.size;
  }
  out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
  return 1;
}

}  // namespace weir::base
