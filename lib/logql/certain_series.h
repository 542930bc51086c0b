// Which series the answer of a metric query is certain to have, as soon as a range has a sample of them. So a query with too many
// is refused before all of its records are read.
//
// Nothing is certain of what may leave series out, or make one of several: topk, comparisons, vectors on both sides, label_replace.
#pragma once

#include "logql/ast.h"
#include "record/label_set.h"

#include <cstddef>
#include <memory>
#include <unordered_set>
#include <vector>

namespace weir::logql {

// Not thread safe.
class CertainSeries {
 public:
  // Null: nothing is certain of the series of this query.
  static std::unique_ptr<CertainSeries> of(const Expr& expr);

  // A series of the query's only range. Returns how many series of the answer are certain by now.
  std::size_t add(const record::LabelSetRef& labels);

 private:
  std::vector<Grouping> groupings_;  // of the aggregations, the innermost first
  std::unordered_set<const record::LabelSet*> found_;
  std::vector<record::LabelSetRef> held_;  // those found
};

}  // namespace weir::logql
