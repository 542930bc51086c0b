// `weir spool copy`: one file that holds what a spool holds, made while the spool is written.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace weir::spool {

struct Copied {
  std::uint64_t blocks = 0, records = 0;
  std::uint64_t bytes = 0;             // of the new file
  std::uint64_t evicted = 0;           // records that the writer evicted before their turn came
  std::optional<std::string> missing;  // the spool that was copied is not whole itself: what it lacks
};

// Copies the spool at `from` to `to`, which must not be there, with its identity. Positions, acknowledgements (with what was noted
// since the last commit) and the list of blocks are of one moment; then each block is read in a short transaction of its own, the
// oldest first, so that a writer is never waited for and its log does not grow. Requests to the writer stay behind. Blocks are
// copied as they are, damaged ones too. `to` appears (0600, synced) when it is complete. `progress` (may be empty) gets blocks done
// and their number. Nothing of the spool is changed. Errors: as Reader::open; usage (something stands at `to`), version (an older
// format), full, interrupted, io.
base::Result<Copied> copy_spool(const std::string& from, const std::string& to, base::Duration wait, const base::Clock& clock,
                                const base::Stop* stop, const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace weir::spool
