// Numbers as Go's scanner reads them: decimal, 0x, 0o, 0b, fractions, exponents, `_` between digits.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::logql {

// Where the number that begins at `position` ends. `why` says what is wrong with it first, in Go's words; else it stays as it is.
[[nodiscard]] std::size_t number_end(std::string_view query, std::size_t position, std::string& why);

}  // namespace weir::logql
