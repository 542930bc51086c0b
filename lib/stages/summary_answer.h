// How much there is, and what is in it: `weir query stats`, `volume`, `fields` and `values`.
#pragma once

#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec that asks for stats, a volume, fields or values, of Loki or of spools. The answer comes as records with only a
// line: aligned text, or JSON. Loki's stats and volume are those of its index, about; a spool's are exact, and may be of any log
// query. Bytes are those of lines. Errors: those of Loki, of a query that does not compile, and of a spool that cannot be opened.
base::Result<std::unique_ptr<pipeline::Source>> make_summary_answer(const QuerySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
