// Text of others on a terminal and in messages. What could move the cursor, change colours, begin a line or turn around the order
// of what stands beside it is shown as an escape: control characters (bytes below 0x20, DEL, U+0080 to U+009F), the separators
// U+2028 and U+2029, the marks that override the direction of text (U+202A to U+202E, U+2066 to U+2069), and bytes that are not
// UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::base {

// Bytes at the head of `text` that can be shown as they are, up to its end or the first character that cannot.
[[nodiscard]] std::size_t visible_prefix(std::string_view text);

// Appends the escape of the character at the head of `text`, which is not empty: \n, \t, \r, \xHH for a byte, \uHHHH for a
// character that takes more. Returns how many bytes of `text` it stands for.
std::size_t append_escape(std::string& out, std::string_view text);

}  // namespace weir::base
