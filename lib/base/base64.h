// Base64 with padding. RFC 4648 section 4.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::base {

void append_base64(std::string& out, std::string_view bytes);
// Decodes into `out`, which has room for text.size() / 4 * 3 bytes. Returns how many were written; nullopt when the text is not
// base64.
[[nodiscard]] std::optional<std::size_t> decode_base64(char* out, std::string_view text);

// The six bits that a character stands for, -1 when it is none of the alphabet; for readers that allow more than the RFC.
[[nodiscard]] int base64_digit(char c);

}  // namespace weir::base
