// Why no record passes a query whose selector takes some: a filter asks for a name that they do not have.
#pragma once

#include "logql/ast.h"
#include "record/record.h"

#include <cstddef>
#include <string>

namespace weir::scan {

// How many records of the selector are looked at.
inline constexpr std::size_t kLooksAtRecords = 50;

// The first label filter of `query` that asks for a name which no record of `sample` has there: as a label, as metadata, or made by
// a stage before it. `all`: the sample holds all records of the selector. Says what parser would find the name, where one would:
//
//   no record has a label or metadata 'status'; the lines are JSON and have it: add `| json` before `| status >= 500`
//
// One line without a full stop; names and stages as they are (they may hold control bytes). "" when each name is there, or the
// sample is empty. Decodes the lines of the sample.
[[nodiscard]] std::string explain_missing_name(const logql::LogExpr& query, record::Batch& sample, bool all);

}  // namespace weir::scan
