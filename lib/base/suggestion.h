// "did you mean …": the known word nearest to a misspelt one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weir::base {

// Insertions, deletions, replacements and swaps of neighbours that turn one into the other (optimal string alignment).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, the first of several; "" when none is near enough to be meant (a third of the word's length, at least one
// edit), or begins with it.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string> known);

// "did you mean 'x'?" for nearest(), otherwise `otherwise`.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string> known, std::string_view otherwise);

}  // namespace weir::base
