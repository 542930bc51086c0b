// Strings and numbers as Go writes them.
#pragma once

#include "gotemplate/tree.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gotemplate {

// The value of a string in its quotes, "" or ``; nullopt when it is invalid.
[[nodiscard]] std::optional<std::string> unquote(std::string_view quoted);

// Give `out` the value of a number, or of a character in its quotes. They return what is wrong, or "".
[[nodiscard]] std::string read_number(std::string_view text, Node& out);
[[nodiscard]] std::string read_character(std::string_view text, Node& out);

// Go strconv.ParseUint and ParseInt with base 0: 12, 0x1F, 0o17, 017, 0b1, 1_000. Out of range: nullopt.
[[nodiscard]] std::optional<std::uint64_t> parse_unsigned(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

// Without the white space of Unicode at both ends, as Go's strings.TrimSpace.
[[nodiscard]] std::string_view trim_space(std::string_view text);

}  // namespace weir::gotemplate
