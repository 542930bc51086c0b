// The records of a log query that an answer shows, as Loki chooses them: the newest or the oldest, all or some apart in time.
#pragma once

#include "base/result.h"
#include "record/record.h"
#include "serve/call.h"

#include <cstdint>
#include <functional>

namespace weir::serve {

struct LogPage {
  logql::LogExpr query;
  base::TimeRange range;
  std::uint64_t limit = 0;
  bool backward = true;
  // Above 0: behind the first record that is shown, only one at least so far from the one that was shown last.
  base::Duration interval = 0;
};

// Takes a record as the query shows it; false: no more are wanted.
using TakeRecord = std::function<bool(record::Record& record, record::Batch& batch)>;

// Calls `take` for the records of the page: oldest first, but with an interval and `backward` newest first. True: there is more in
// this range. It ends early when the call is over. Errors: those of SpoolScan.
base::Result<bool> read_page(Call& call, const LogPage& page, const TakeRecord& take);

}  // namespace weir::serve
