// Text set to a width, for help and messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::cli {

inline constexpr std::size_t kPlainWidth = 80;  // where there is no terminal

// Columns that `text` takes on a terminal, counting one for each code point.
[[nodiscard]] std::size_t columns(std::string_view text);

// Breaks `text` at spaces so that no line has more than `width` columns (a longer word stands alone); every line but the first
// begins with `indent` spaces, and the first is taken to begin at that column already. A blank line in `text` separates paragraphs;
// other newlines are spaces, except that a line beginning with a space stays as it is. Ends without a newline.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t indent, std::size_t width);

// Backquoted `code` as it stands in help: without the backquotes where it is one word.
[[nodiscard]] std::string plain(std::string_view text);

// A shell command line broken after `|` and before options, outside of quotes, so that it can be pasted as it stands.
[[nodiscard]] std::string wrap_command(std::string_view command, std::size_t indent, std::size_t width);

}  // namespace weir::cli
