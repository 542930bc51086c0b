// The answer of a Loki, and what it lacks out of a spool.
//
// Both are read in the order of time, side by side, and neither is kept: what is in memory is a page of Loki's, a batch of the
// spool's, and the spool's records of one time. Records are the same when their streams, times and lines are. Of equal records
// there are as many as the one of the two has that has more. Loki's come first at each time.
//
// A record of the spool is what it would be in Loki: it has the labels that push sends, the label service_name and the metadata
// detected_level, both by Loki's default, and the query is evaluated on that. service_name does not tell streams apart, since a
// Loki may be told to give none. Records of a tenant other than the one that is asked for are left out.
#pragma once

#include "stages/query.h"

namespace weir::stages {

// For a QuerySpec with `with_spool` that asks for records by a log query, for labels, or for series. Errors: those of make_query().
base::Result<std::unique_ptr<pipeline::Source>> make_merged_answer(const QuerySpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
