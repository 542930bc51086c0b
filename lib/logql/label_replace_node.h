// label_replace: gives series a label that is made of another one.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "logql/metric_node.h"

namespace weir::logql {

// Error: the regular expression is none.
[[nodiscard]] base::Result<MetricNodePtr> replace_label(const LabelReplace& expr, MetricNodePtr inner);

}  // namespace weir::logql
