// Percent-encoding of URLs. RFC 3986 section 2.
#pragma once

#include <string>
#include <string_view>

namespace weir::base {

enum class HexCase : bool { upper, lower };

// Everything but letters, digits and `-._~` as %HH.
[[nodiscard]] std::string percent_encode(std::string_view text, HexCase digits = HexCase::upper);
// Every %HH as its byte; a percent sign that begins none stays.
[[nodiscard]] std::string percent_decode(std::string_view text);

}  // namespace weir::base
