// The lines around one record, of the same stream, for the page.
//
//   GET /weir/api/v1/context?ts=<ns>&stream=…&before=N&after=N&query=…
//
// `stream` is the JSON object of the stream's labels (as stored: what label_format changed is not found), which takes this stream
// alone, or a selector. `before` and `after` are 50 unless said otherwise, 0 for none, at most QueryLimits::entries. `query`, which
// may be left out, is what further stands behind the selector (`|= "x"`), or a whole log query, of which the stages count. Answers
//
//   {"labels":{…},"before":[{"ts":…,"line":…,…},…],"after":[…],"more_before":bool,"more_after":bool}
//
// with the members of view.h's lines, oldest first. What is at `ts` itself comes first in `after`. `labels` are those that were
// asked for, {} with a selector; a line whose labels are others has them as "labels".
#pragma once

#include "serve/endpoints.h"

namespace weir::serve {

Answer context(Call& call);

}  // namespace weir::serve
