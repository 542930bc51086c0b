// The metadata by which the records around a match are known (`weir query -C`): what writes text puts `--` between groups, and does
// not show them.
#pragma once

#include <string_view>

namespace weir::record {

inline constexpr std::string_view kContextGroup = "weir_group";    // the number of the group; of matches, too
inline constexpr std::string_view kContextPlace = "weir_context";  // "before" or "after" a match; matches have none
[[nodiscard]] constexpr bool is_context_mark(std::string_view name) { return name == kContextGroup || name == kContextPlace; }

}  // namespace weir::record
