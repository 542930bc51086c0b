// How many columns of a terminal a text takes: two for each CJK character and most emoji, none for combining characters. The
// C library knows the characters. Where terminals differ (emoji that are joined or have a colour of skin), the larger number is
// taken, so that a line never becomes longer than the terminal is wide.
//
// The text is one that may be shown (base/visible.h). All functions are pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::show {

[[nodiscard]] std::size_t columns_of(std::string_view text);

// The longest head of `text` that fits into `columns`: its bytes, and the columns it takes. What belongs to one character
// (combining characters, joined emoji) stays together.
struct Head {
  std::size_t bytes = 0, columns = 0;
};
[[nodiscard]] Head head_of(std::string_view text, std::size_t columns);

// `text` if it fits, else its head and `mark`, which says that something is missing. `columns` is at least that of `mark`.
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t columns, std::string_view mark);

// The same with the mark in the middle: names of pods differ at their ends.
[[nodiscard]] std::string cut_middle(std::string_view text, std::size_t columns, std::string_view mark);

// `text` without its sequences that set colours and weight (SGR: ESC [ digits and ; or : m); other bytes stay. The result is `text`
// itself, or lies in `scratch`.
[[nodiscard]] std::string_view without_colors(std::string_view text, std::string& scratch);

// `text` with the escapes of base/visible.h, and a tab as two spaces: what stands in one line, such as a cell of a table.
[[nodiscard]] std::string visible(std::string_view text);

}  // namespace weir::show
