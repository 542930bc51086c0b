// Byte strings that lines are searched for.
#pragma once

#include <string>
#include <vector>

namespace weir::logql {

// What is looked for contains at least one of them. None is empty.
using Needles = std::vector<std::string>;

}  // namespace weir::logql
