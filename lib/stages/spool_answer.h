// The answer of spools to a log query, as records.
#pragma once

#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec with spools that asks for records by a log query, for labels, or for series. metric_answer.h has metric queries.
base::Result<std::unique_ptr<pipeline::Source>> make_spool_answer(const QuerySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
