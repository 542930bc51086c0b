// sum, avg, min, max, count, stddev, stdvar, topk, bottomk, sort and sort_desc of a vector, with by and without.
//
// The arithmetic is Loki's, operation by operation. Where Loki leaves an order open (equal values in topk), this one goes by
// labels. Source: Loki 3.7, pkg/logql/evaluator.go.
#pragma once

#include "logql/ast.h"
#include "logql/metric_node.h"

namespace weir::logql {

[[nodiscard]] MetricNodePtr aggregate(const VectorAggregation& expr, MetricNodePtr inner);

}  // namespace weir::logql
