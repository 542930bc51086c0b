// The records of a Loki, and what it lacks out of a spool (merged_source.h).
#pragma once

#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec with `with_spool` that asks for records by a log query, for labels, or for series. Errors: those of make_query().
base::Result<std::unique_ptr<pipeline::Source>> make_merged_answer(const QuerySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
