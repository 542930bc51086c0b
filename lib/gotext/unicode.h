// The few properties of characters that Go programs depend on, and text in quotes as Go writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::gotext {

// Of one character: \p{L}, \p{Nd}, and what Go's strconv.IsPrint takes for printable.
[[nodiscard]] bool is_letter(std::string_view character);
[[nodiscard]] bool is_decimal_digit(std::string_view character);
[[nodiscard]] bool is_printable(std::string_view character);

// In double quotes, escaped as Go's strconv.Quote does; what every string of a printed query is.
[[nodiscard]] std::string quote(std::string_view text);
void append_quoted(std::string& out, std::string_view text);

// Upper and lower case, character by character.
[[nodiscard]] std::string to_upper(std::string_view text);
[[nodiscard]] std::string to_lower(std::string_view text);
// Lower case where that takes as many bytes: how Loki compares without regard to case. The Kelvin sign stays as it is.
[[nodiscard]] std::string fold_case(std::string_view text);

}  // namespace weir::gotext
