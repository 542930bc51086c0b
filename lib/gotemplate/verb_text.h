// Text and numbers as the verbs of Go's fmt show them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::gotemplate {

[[nodiscard]] std::size_t count_characters(std::string_view text);  // a byte that is not UTF-8 counts as one

// strconv.Quote and QuoteRune, with `quote` around the text. `ascii`: everything else is escaped.
[[nodiscard]] std::string quoted(std::string_view text, char quote, bool ascii);
[[nodiscard]] bool can_stand_in_backquotes(std::string_view text);

// strconv.FormatFloat, for the verbs b e E f g G x X; precision -1: as many digits as the number needs.
[[nodiscard]] std::string format_real(double value, char verb, int precision);

}  // namespace weir::gotemplate
