// UTF-8 and the few properties of characters that LogQL depends on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::logql {

inline constexpr char32_t kReplacement = 0xfffd;

// Bytes of the well-formed character that `text` begins with, 0 when there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

// The first character of `text` and its length; a byte that is not UTF-8 is U+FFFD of length 1. `text` is not empty.
[[nodiscard]] char32_t decode_utf8(std::string_view text, std::size_t& length);
void append_utf8(std::string& out, char32_t character);  // surrogates and what lies above U+10FFFF: U+FFFD

[[nodiscard]] bool is_ascii(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);

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

}  // namespace weir::logql
