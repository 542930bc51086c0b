// `weir spool copy`: one file that holds what a spool holds, made while the spool is written.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "spool/watch.h"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::spool {

struct Copied {
  std::uint64_t blocks = 0, records = 0;
  std::uint64_t bytes = 0;             // of the new file
  std::uint64_t evicted = 0;           // records that the writer evicted before they were copied
  std::optional<std::string> missing;  // a sentence: what the spool that was copied lacks itself
};

// Copies the spool at `from` with its identity to `to`, which must not exist. Positions, acknowledgements (with those in the recent
// files) and the list of blocks are read in one transaction. Then each block is read in a short transaction of its own, the oldest
// first, so that the copy never blocks the writer and its log does not grow. Requests to the writer are not copied. Blocks are
// copied as they are, damaged ones too. `to` appears (0600, synced) when it is complete. `watch` counts
// the bytes of blocks. The spool is not changed. Errors: as Reader::open; usage (something stands at
// `to`), version (an older format), full, interrupted, io.
base::Result<Copied> copy_spool(const std::string& from, const std::string& to, base::Duration wait, const base::Clock& clock,
                                const base::Stop* stop, const Watch& watch);

}  // namespace weir::spool
