// Text of rules -> values. One rule a line; `#` outside of a quoted text begins a comment; empty lines are allowed.
#pragma once

#include "base/result.h"
#include "rules/rule.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::rules {

// All rules of one text, in order. `file` is what errors and RulePlace call it.
// Errors: Code::config "cannot use rules FILE: line 3, col 8: …"; the hint holds the line, a caret under the column, and what to
// write instead where that can be told. The first error alone is given.
base::Result<std::vector<Rule>> parse(std::string_view text, std::string_view file);

}  // namespace weir::rules
