// `weir query -f`, and `--expect … --wait`: the records that are there, and then new ones as they come.
#pragma once

#include "loki/follow_window.h"
#include "pipeline/stage.h"
#include "stages/expectation.h"
#include "stages/query.h"

#include <memory>

namespace weir::stages {

struct FollowSpec {
  bool follow = false;                     // go on until a signal or the end of the chain; otherwise until `expectation` is decided
  loki::FollowWindow::Options looks = {};  // of a Loki; `late`: records that arrive up to so long after their time are shown
  base::Duration patience = 5 * base::kSecond;  // a request of Loki that takes longer is an outage, which is reported
  // Not null: counts the records, and ends the source when its verdict is known. Outlives the source.
  Expectation* expectation = nullptr;
};

// Emits what make_query() does, where `query.limit` counts for these records only, and then each new record once, in the order of
// arrival. Code::usage for a metric query that is to be followed.
//
// From a Loki (loki/follow_window.h): new records show within about two seconds, late ones within a quarter of `looks.late`, at
// most 15 s. Where so many match that this cannot be kept, a message says how long it takes. A Loki that cannot be reached from the
// start is an error; later it is waited for, with one message for each outage. From a spool: what a commit stores shows within half
// a second, however old it is.
base::Result<std::unique_ptr<pipeline::Source>> make_follow(const QuerySpec& query, const FollowSpec& follow,
                                                            const pipeline::Context& context);

}  // namespace weir::stages
