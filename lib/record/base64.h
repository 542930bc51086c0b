// Base64 with padding, for bytes inside JSON strings. RFC 4648 section 4.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::record {

void append_base64(std::string& out, std::string_view bytes);
// Decodes into `out`, which has room for text.size() / 4 * 3 bytes. Returns how many were written; nullopt when the text is not
// base64.
[[nodiscard]] std::optional<std::size_t> decode_base64(char* out, std::string_view text);

}  // namespace weir::record
