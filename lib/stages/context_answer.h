// `weir query -A -B -C`: matches with the records around them, of the same log (stages/context_lines.h).
#pragma once

#include "pipeline/stage.h"
#include "stages/query.h"

#include <cstddef>
#include <memory>

namespace weir::stages {

struct ContextSpec {
  std::size_t before = 0, after = 0;
};

// Emits groups. The query only selects: records are shown as they are stored. Context lies in the range of the query, too.
// `query.limit` counts matches; a record that matches and lies in the context of one of these is shown as a match, too. Code::usage
// for a metric query, and of a Loki for a query that changes labels, because then nobody knows the stream.
//
// From a spool: all records of the streams that the selector takes are read once, behind one pass for the limit.
// From a Loki: the matches are asked for, then around them the streams of their logs, in requests that fit. So a match costs two
// small requests, and matches that lie close together share them.
base::Result<std::unique_ptr<pipeline::Source>> make_context(const QuerySpec& query, const ContextSpec& around,
                                                             const pipeline::Context& context);

}  // namespace weir::stages
