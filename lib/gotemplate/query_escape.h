// Text in the form of a URL's query.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::gotemplate {

// A result longer than `limit` is cut at any place after `limit`.
[[nodiscard]] std::string query_escape(std::string_view text, std::size_t limit);

}  // namespace weir::gotemplate
