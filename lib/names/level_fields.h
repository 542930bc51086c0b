// The part of level detection that looks into structured lines: which field of a JSON object or a logfmt line gives the level.
#pragma once

#include <optional>
#include <string_view>

namespace weir::names {

// Where `name` stands in Loki's list of field names that may hold a level, case and all; nullopt when it is none of them.
[[nodiscard]] std::optional<int> level_field_rank(std::string_view name);

// One of the canonical words when `value` is a spelling of one in any case, else "".
[[nodiscard]] std::string_view known_level(std::string_view value);

// The level by the first field of that kind with a string as value, in the order of the text, in the object `line` and the
// objects directly in it. "" when there is none, its value is no known level, or the text is malformed before it.
[[nodiscard]] std::string_view level_in_json(std::string_view line);

// The level by the field that stands first in Loki's list, names in any case. "" as above.
[[nodiscard]] std::string_view level_in_logfmt(std::string_view line);

}  // namespace weir::names
