// What the page shows for a query: lines at once, then how many there are, in pieces while the scan runs.
//
//   GET /weir/api/v1/view?query=…&start=…&end=…&limit=…&direction=…&buckets=…
//   (without `start` and `since`: from the oldest block of the store on)
//
// `query` is a log query; metric queries go to query_range. The time is that of query_range. `limit` is 1000 unless said otherwise,
// at most QueryLimits::view_lines; `buckets` is how many parts the histogram has at most (60; 0: no histogram). The answer is
// application/x-ndjson, one of these objects a line:
//
//   {"type":"stream","id":N,"labels":{…}}     before the first line of this set of labels
//   {"type":"line","ts":"<ns>","s":N,"metadata":{…},"parsed":{…},"line":"…","level":"…"}
//       in the order of `direction`; metadata and parsed only where there are any. The level is the metadata detected_level, else
//       what labels, metadata and line tell (names/level.h), "unknown" without
//   {"type":"progress","done":N,"all":N}      bytes, at most four a second
//   {"type":"histogram","step_ns":N,"start":"<ns>","buckets":{"error":[[i,count],…],…}}
//       of all records of the range that match, by level, in parts of step_ns from start on. Behind the lines: a second pass counts
//       what the limit left out. Where the time did not suffice it has "partial":true, and counts what was read
//   {"type":"end","lines":N,"more":bool,"why":"…"}
//       `more`: there are records that the limit left out. `why`, without any lines: what may be wrong with the query. When
//       QueryLimits::time is up, what was found until then is shown, and the end has "more":true, "partial":true, and a `why`
//   {"type":"error","message":"…"}            in place of the end
//
// What is refused before anything was sent is answered with its status and {"type":"error","message":"…","line":L,"col":C,
// "hint":"…"}; line and col, from 1 and in characters, where the error has a place.
#pragma once

#include "serve/endpoints.h"

#include <optional>

namespace weir::serve {

// nullopt: it has answered.
std::optional<Answer> view(Call& call);

// The refusal of an endpoint of the page.
[[nodiscard]] httpd::Response json_refusal(const base::Error& error);

}  // namespace weir::serve
