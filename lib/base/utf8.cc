#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace weir::base {

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  return static_cast<unsigned char>(text[0]) < 0x80 ? 1 : utf8_sequence(text.data(), text.data() + text.size());
}

char32_t decode_utf8(std::string_view text, std::size_t& length) {
  length = utf8_length(text);
  const auto low_bits = [&](std::size_t i) { return static_cast<char32_t>(text[i] & 0x3f); };
  const auto lead = static_cast<unsigned char>(text[0]);
  switch (length) {
    case 1:
      return lead;
    case 2:
      return (lead & 0x1fU) << 6 | low_bits(1);
    case 3:
      return (lead & 0x0fU) << 12 | low_bits(1) << 6 | low_bits(2);
    case 4:
      return (lead & 0x07U) << 18 | low_bits(1) << 12 | low_bits(2) << 6 | low_bits(3);
    default:
      length = 1;
      return kReplacement;
  }
}

char* write_utf8(char* out, char32_t character) {
  const auto last_bits = [&](int shift) { return static_cast<char>(0x80 | (character >> shift & 0x3f)); };
  if (character < 0x80) {
    *out++ = static_cast<char>(character);
  } else if (character < 0x800) {
    *out++ = static_cast<char>(0xc0 | character >> 6);
    *out++ = last_bits(0);
  } else if (character < 0x10000) {
    *out++ = static_cast<char>(0xe0 | character >> 12);
    *out++ = last_bits(6);
    *out++ = last_bits(0);
  } else {
    *out++ = static_cast<char>(0xf0 | character >> 18);
    *out++ = last_bits(12);
    *out++ = last_bits(6);
    *out++ = last_bits(0);
  }
  return out;
}

void append_utf8(std::string& out, char32_t character) {
  if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) character = kReplacement;
  char bytes[4];
  out.append(bytes, write_utf8(bytes, character));
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
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (static_cast<unsigned char>(*at) < 0x80) {
      // Eight bytes at a time through ASCII.
      std::uint64_t word = 0;
      if (end - at >= 8 && (std::memcpy(&word, at, 8), (word & 0x8080808080808080) == 0)) {
        at += 8;
      } else {
        ++at;
      }
      continue;
    }
    const std::size_t size = utf8_sequence(at, end);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text, std::size_t& replaced) {
  std::string out;
  out.reserve(text.size() + 16);
  replaced = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    const std::size_t size = static_cast<unsigned char>(*at) < 0x80 ? 1 : utf8_sequence(at, end);
    if (size == 0) {
      out += kReplacementText;
      ++replaced;
      ++at;
    } else {
      out.append(at, size);
      at += size;
    }
  }
  return out;
}

}  // namespace weir::base
