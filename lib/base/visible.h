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

// Appends `text` so that it can be shown. `special` is called for each character that cannot: with the text from there on, which is
// not empty. It appends what stands for the character and returns its bytes, or 0 for the escape.
template <typename Special>
void append_visible(std::string& out, std::string_view text, Special special) {
  while (true) {
    const std::size_t shown = visible_prefix(text);
    out += text.substr(0, shown);
    text.remove_prefix(shown);
    if (text.empty()) return;
    const std::size_t taken = special(text);
    text.remove_prefix(taken > 0 ? taken : append_escape(out, text));
  }
}

inline void append_visible(std::string& out, std::string_view text) {
  append_visible(out, text, [](std::string_view) { return std::size_t{0}; });
}

// The same where a tab stays a tab: what stands at the end of a line.
inline void append_visible_line(std::string& out, std::string_view text) {
  append_visible(out, text, [&out](std::string_view rest) -> std::size_t {
    if (rest[0] != '\t') return 0;
    out += '\t';
    return 1;
  });
}

}  // namespace weir::base
