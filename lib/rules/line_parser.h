// The grammar of one rule: `name NAME: ACTION ARGUMENTS QUERY`. rules/parser.h divides a text into such lines.
#pragma once

#include "base/clock.h"
#include "rules/mistake.h"
#include "rules/rule.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>

namespace weir::rules {

struct ParsedLine {
  Rule rule;                           // without its place
  std::optional<std::size_t> fill_at;  // where ` from TIME` belongs in the line; only when `now` was filled in
};

// `line` has no line end and no comment. With `fill_from` and `now`, a lifetime without `from` begins `now`, in whole seconds.
// `now` alone only serves hints. The first mistake alone is given.
[[nodiscard]] std::variant<ParsedLine, Mistake> parse_line(std::string_view line, std::optional<base::Timestamp> now,
                                                           bool fill_from = false);

}  // namespace weir::rules
