#include "logql/arithmetic.h"

#include <cmath>
#include <limits>

namespace weir::logql {

std::optional<double> operate(BinaryOp op, double left, double right, bool filters) {
  const auto compared = [&](bool holds) -> std::optional<double> {
    if (holds) return 1;
    return filters ? std::nullopt : std::optional<double>(0);
  };
  switch (op) {
    case BinaryOp::add:
      return left + right;
    case BinaryOp::sub:
      return left - right;
    case BinaryOp::mul:
      return left * right;
    case BinaryOp::div:
      return right == 0 ? std::numeric_limits<double>::quiet_NaN() : left / right;
    case BinaryOp::mod:
      return right == 0 ? std::numeric_limits<double>::quiet_NaN() : std::fmod(left, right);
    case BinaryOp::pow:
      return std::pow(left, right);
    case BinaryOp::equal:
      return compared(left == right);
    case BinaryOp::not_equal:
      return compared(left != right);
    case BinaryOp::greater:
      return compared(left > right);
    case BinaryOp::greater_equal:
      return compared(left >= right);
    case BinaryOp::less:
      return compared(left < right);
    case BinaryOp::less_equal:
      return compared(left <= right);
    case BinaryOp::or_:
    case BinaryOp::and_:
    case BinaryOp::unless:
      break;
  }
  return std::nullopt;
}

}  // namespace weir::logql
