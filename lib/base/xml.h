// Text inside of XML.
#pragma once

#include <string>
#include <string_view>

namespace weir::base {

inline constexpr std::string_view kXmlHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

// For an attribute or the inside of an element: escaped as escape_control() does, because XML has no control characters, then with
// `&amp;` and the like. What is not UTF-8 becomes U+FFFD.
[[nodiscard]] std::string escape_xml(std::string_view text);

}  // namespace weir::base
