// The answer of a Loki, as records.
#pragma once

#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec without spools that asks for records, labels or series. Logs and metrics are read page by page; no entry is
// missing and none comes twice, also where thousands share one timestamp. Mistakes in the query that weir's own parser knows are
// errors here; Loki decides about the rest.
base::Result<std::unique_ptr<pipeline::Source>> make_loki_answer(const QuerySpec& spec, const pipeline::Context& context);

// Finds mistakes in the query without asking Loki: Code::config.
base::Result<void> check_for_loki(const QuerySpec& spec);

}  // namespace weir::stages
