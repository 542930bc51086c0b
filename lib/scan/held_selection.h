// Which records of a spool are held and match a query: for a release (spool/release.h).
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "base/stop.h"
#include "spool/block_info.h"
#include "spool/ordinal_set.h"
#include "spool/release.h"

#include <cstdint>
#include <functional>
#include <string>

namespace weir::scan {

struct HeldSelected {
  std::uint64_t blocks = 0, records = 0, line_bytes = 0;
  std::uint64_t unreadable_blocks = 0;
};

// Calls `each` once for every block that has held, not yet released records in `range` that `query` takes, by number of block. The
// query may have no selector. One block is in memory at a time; blocks and streams that cannot match are not unpacked. What is
// stored after the call began is not seen. `stop` (may be null): ends it with Code::interrupted. Errors: a query that does not
// parse (config), those of spool::Reader, those of `each`.
base::Result<HeldSelected> select_held(
    const std::string& spool, const std::string& query, const spool::TimeRange& range, base::Diagnostics& diagnostics,
    const base::Stop* stop, const std::function<base::Result<void>(std::uint64_t block, spool::OrdinalSet ordinals)>& each);

struct ReleaseAsked {
  bool known = false;  // the release id was known: nothing was selected
  HeldSelected selected;
  spool::ReleaseRow row;  // of what was asked for; empty when nothing was
};

// Selects, and asks the writer of the spool to release what was selected. Where nothing matches, nothing is asked, and the id is
// not used up. `wait`: for another process that asks. Errors: those of select_held() and spool::ReleaseRequest.
base::Result<ReleaseAsked> ask_for_release(const std::string& spool, const spool::ReleaseOrder& order, base::Duration wait,
                                           const base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop);

}  // namespace weir::scan
