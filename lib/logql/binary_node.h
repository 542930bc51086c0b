// Operators between a vector and a number, and between two vectors: arithmetic, comparisons, and, or, unless, with on, ignoring,
// group_left and group_right.
//
// Errors of at(): Code::config in Loki's words, for series that have no one partner. Source: Loki 3.7, pkg/logql/evaluator.go.
#pragma once

#include "logql/ast.h"
#include "logql/metric_node.h"

namespace weir::logql {

// `number_left`: the number stands on the left of the operator.
[[nodiscard]] MetricNodePtr combine_with_number(BinaryOp op, bool returns_bool, double number, bool number_left,
                                                MetricNodePtr inner);

[[nodiscard]] MetricNodePtr combine_vectors(const BinaryOperation& expr, MetricNodePtr left, MetricNodePtr right);

}  // namespace weir::logql
