#include "base/base64.h"

#include <cstdint>

namespace weir::base {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = bytes.size() - at;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < left ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) out += i <= left ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
}

int base64_digit(char c) {
  const std::size_t digit = kAlphabet.find(c);
  return digit == std::string_view::npos ? -1 : static_cast<int>(digit);
}

std::optional<std::size_t> decode_base64(char* out, std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const char* const begin = out;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::uint32_t group = 0;
    std::size_t characters = 0;
    for (; characters < 4 && text[at + characters] != '='; ++characters) {
      const int digit = base64_digit(text[at + characters]);
      if (digit < 0) return std::nullopt;
      group |= static_cast<std::uint32_t>(digit) << (18 - 6 * characters);
    }
    const bool last = at + 4 == text.size();
    if (characters < 2 || (characters < 4 && !last) || (characters == 2 && text[at + 3] != '=')) return std::nullopt;
    for (std::size_t i = 0; i + 1 < characters; ++i) *out++ = static_cast<char>(group >> (16 - 8 * i) & 0xff);
  }
  return static_cast<std::size_t>(out - begin);
}

}  // namespace weir::base
