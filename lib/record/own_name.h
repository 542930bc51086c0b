// Names that weir gives a meaning: weir_gap_bytes is what a gap record has. No option takes one for what stands in a line, for a
// label of a pod or a field of the journal, so that none of these can be taken for weir's own word.
#pragma once

#include <string_view>

namespace weir::record {

inline constexpr std::string_view kOwnPrefix = "weir_";
[[nodiscard]] constexpr bool is_own_name(std::string_view name) { return name.starts_with(kOwnPrefix); }

}  // namespace weir::record
