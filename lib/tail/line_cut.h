// Where a line is cut that is longer than --max-line.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::tail {

// The largest cut at or before `size` that does not fall within a UTF-8 character of `text`; `next` is the byte behind it.
[[nodiscard]] inline std::size_t cut_between_characters(std::string_view text, std::size_t size, char next) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
  if (!continues(next)) return size;
  for (std::size_t back = 1; back <= 3 && back < size; ++back) {
    if (!continues(text[size - back])) return static_cast<unsigned char>(text[size - back]) >= 0xc0U ? size - back : size;
  }
  return size;
}

}  // namespace weir::tail
