#include "base/visible.h"

#include "base/utf8.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

namespace weir::base {
namespace {

bool is_harmful(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

// Whether eight bytes are printable ASCII: none has its high bit set, is below 0x20 or is 0x7f.
bool is_plain(const char* bytes) {
  constexpr std::uint64_t kEach = 0x0101010101010101, kHigh = 0x80 * kEach;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  const std::uint64_t below = word - 0x20 * kEach, last = (word ^ (0x7f * kEach)) - kEach;
  return ((word | below | last) & kHigh) == 0;
}

}  // namespace

std::size_t visible_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    while (text.size() - at >= sizeof(std::uint64_t) && is_plain(text.data() + at)) at += sizeof(std::uint64_t);
    if (at == text.size()) break;
    const char c = text[at];
    if (c >= 0x20 && c < 0x7f) {
      ++at;
      continue;
    }
    const std::size_t size = utf8_length(text.substr(at));
    std::size_t length = 0;
    if (size == 0 || is_harmful(decode_utf8(text.substr(at), length))) break;
    at += size;
  }
  return at;
}

std::size_t append_escape(std::string& out, std::string_view text) {
  switch (text[0]) {
    case '\n':
      out += "\\n";
      return 1;
    case '\t':
      out += "\\t";
      return 1;
    case '\r':
      out += "\\r";
      return 1;
    default:
      break;
  }
  if (utf8_length(text) > 1) {
    std::size_t length = 0;
    out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(decode_utf8(text, length)));
    return length;
  }
  out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
  return 1;
}

}  // namespace weir::base
