// Values -> the canonical text of a rule, which parses back to an equal rule.
#pragma once

#include "rules/rule.h"

#include <string>

namespace weir::rules {

[[nodiscard]] std::string print(const Rule& rule);  // one line, without a line end

}  // namespace weir::rules
