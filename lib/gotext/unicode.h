// The few properties of characters that Go programs depend on, and text in quotes as Go writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::gotext {

// Properties of one character: \p{L}, \p{Nd}, and printable as in Go's strconv.IsPrint.
[[nodiscard]] bool is_letter(std::string_view character);
[[nodiscard]] bool is_decimal_digit(std::string_view character);
[[nodiscard]] bool is_printable(std::string_view character);

// A blank of Unicode, such as U+00A0 and U+2028, besides those of ASCII; and the text without those at its ends
// (strings.TrimSpace).
[[nodiscard]] bool is_space(char32_t character);
[[nodiscard]] std::string_view trim_space(std::string_view text);

// The text in double quotes, escaped as Go's strconv.Quote does. Every string of a printed query has this form.
[[nodiscard]] std::string quote(std::string_view text);
void append_quoted(std::string& out, std::string_view text);

// Upper and lower case, character by character.
[[nodiscard]] std::string to_upper(std::string_view text);
[[nodiscard]] std::string to_lower(std::string_view text);
// Lower case, but only of characters whose lower case has as many bytes. Loki ignores case this way. So the Kelvin sign stays
// as it is.
[[nodiscard]] std::string fold_case(std::string_view text);

}  // namespace weir::gotext
