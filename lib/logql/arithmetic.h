// The operators of LogQL between two numbers, as Loki calculates them: a division by zero gives NaN.
#pragma once

#include "logql/ast.h"

#include <optional>

namespace weir::logql {

// A comparison gives 1 or 0; with `filters` nothing where it does not hold. Nothing for and, or, unless.
[[nodiscard]] std::optional<double> operate(BinaryOp op, double left, double right, bool filters);

}  // namespace weir::logql
