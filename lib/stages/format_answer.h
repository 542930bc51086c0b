// The text of a query as Loki's format_query prints it: `weir query fmt`.
#pragma once

#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec that asks for a format. The query is `logql`, or all that `input` has, 128 KiB at most, as Loki takes. The answer
// has a record for each line of the formatted query, or one with all of it as a JSON string. Errors: Code::usage for an empty
// query, and for an input that is a terminal or too long; Code::config, with the place of the mistake, for a query that does not
// parse. run() gives those of an input.
base::Result<std::unique_ptr<pipeline::Source>> make_format_answer(const QuerySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
