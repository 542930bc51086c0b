// The answer of records on standard input, as JSON lines of weir.
#pragma once

#include "stages/query.h"

#include <functional>
#include <memory>

namespace weir::stages {

// Makes the source that answers a QuerySpec: make_query(), or what follows, counts or shows context.
using AnswerMaker =
    std::function<base::Result<std::unique_ptr<pipeline::Source>>(QuerySpec& spec, const pipeline::Context& context)>;

// For a QuerySpec with `input`, whatever it asks for. The records are stored in a spool of their own below TMPDIR (/tmp), which is
// removed at the end; then `make` gets the question with that spool. So they may come in any order, memory does not grow with them,
// and the answer is complete only when the input has ended. Errors of run(): a line that is no record (usage), and no room for the
// spool.
base::Result<std::unique_ptr<pipeline::Source>> make_input_answer(const QuerySpec& spec, AnswerMaker make,
                                                                  const pipeline::Context& context);

}  // namespace weir::stages
