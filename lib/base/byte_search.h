// Finding bytes in log lines: short texts, often a miss, so set-up costs as much as the scan.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::base {

// The first place of `needle` in `text`, npos without one. An empty needle is found at 0.
[[nodiscard]] std::size_t find_bytes(std::string_view text, std::string_view needle);
[[nodiscard]] inline bool contains_bytes(std::string_view text, std::string_view needle) {
  return find_bytes(text, needle) != std::string_view::npos;
}

// Whether `lower`, which is ASCII in lower case, is in `text` in any case.
[[nodiscard]] bool contains_ignoring_case(std::string_view text, std::string_view lower);

// The first place of a double quote or a backslash from `from` on, text.size() without one.
[[nodiscard]] std::size_t find_quote_or_backslash(std::string_view text, std::size_t from);

}  // namespace weir::base
