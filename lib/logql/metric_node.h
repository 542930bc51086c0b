// A part of a metric query that gives a vector at each point of time: the range at a leaf, what is made of it above.
#pragma once

#include "base/result.h"
#include "logql/range_vector.h"

#include <cstddef>
#include <memory>

namespace weir::logql {

// Points are asked for in their order, each once. Errors: Code::config, in Loki's words. Not thread safe.
class MetricNode {
 public:
  virtual ~MetricNode() = default;
  // Appends.
  virtual base::Result<void> at(std::size_t point, MetricVector& out) = 0;
};
using MetricNodePtr = std::unique_ptr<MetricNode>;

}  // namespace weir::logql
