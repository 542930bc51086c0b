// UTF-8: validity, decoding, encoding. RFC 3629: no surrogates, nothing above U+10FFFF, no longer form than needed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::base {

inline constexpr char32_t kReplacement = 0xfffd;
inline constexpr std::string_view kReplacementText = "\xef\xbf\xbd";

// The length of the valid sequence that begins at `at`, whose first byte is 0x80 or above; 0 when there is none. RFC 3629
// section 4.
[[nodiscard]] inline std::size_t utf8_sequence(const char* at, const char* end) {
  const auto byte = [at](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  const auto left = static_cast<std::size_t>(end - at);
  const auto follows = [&byte](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return left >= 2 && follows(1) ? 2 : 0;
  if (lead < 0xf0) {
    if (left < 3 || !follows(1) || !follows(2)) return 0;
    if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
    return 3;
  }
  if (left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
  return 4;
}

// Bytes of the valid character that `text` begins with, 0 when there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text);
// The first character of `text` and its length; a byte that is not UTF-8 is U+FFFD of length 1. `text` is not empty.
[[nodiscard]] char32_t decode_utf8(std::string_view text, std::size_t& length);

void append_utf8(std::string& out, char32_t character);  // surrogates and what lies above U+10FFFF: U+FFFD
// Into a buffer of at least four bytes; returns the end. A surrogate becomes the three bytes of its code point, which are not
// UTF-8.
char* write_utf8(char* out, char32_t character);

[[nodiscard]] bool is_ascii(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);

// `text` with every byte that is not UTF-8 replaced by U+FFFD; `replaced` counts them.
[[nodiscard]] std::string replace_invalid_utf8(std::string_view text, std::size_t& replaced);

}  // namespace weir::base
