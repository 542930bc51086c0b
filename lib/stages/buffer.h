// Stores records and positions in a spool, then forwards them: the stage that makes a chain survive everything.
//
// With `spill` it forwards first, and stores only what is not acknowledged in time (stages/spill_window.h); positions follow the
// acknowledgements.
//
// Upstream: every group of records (1 MiB of lines, or what came within a second, under a steady inflow within three) is one block and one transaction, together with
// the positions of the logs it came from. Downstream: a thread of its own emits what is stored, in order, with its place as source,
// from memory while it keeps up and from the file otherwise. A slow downstream never blocks upstream; a full spool does, unless
// it may drop its oldest. It starts with everything that the consumer has not acknowledged yet.
#pragma once

#include "pipeline/stage.h"
#include "spool/writer.h"
#include "delivery/spill_window.h"

#include <memory>
#include <string>

namespace weir::stages {

struct BufferSpec {
  spool::WriterOptions spool;
  bool store_only = false;                          // forward nothing
  bool spill = false;                               // not with store_only
  delivery::SpillLimits spill_limits;
  std::string consumer = "main";                    // whose place forwarding starts at
  bool only_new = false;                            // forward only what is taken from now on
  std::uint64_t group_bytes = 1 << 20;              // of lines in a block
  base::Duration group_age = base::kSecond;         // of the first record in it …
  base::Duration commit_every = 3 * base::kSecond;  // … unless the last commit was less than this ago: what a commit costs is mostly fixed
  std::uint64_t memory = 2 << 20;                   // bytes of stored blocks that wait in memory to be forwarded
};

// Opens the spool: waits for an earlier writer up to spool.wait. Errors: as spool::Writer::open.
base::Result<std::unique_ptr<pipeline::Stage>> make_buffer(const BufferSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
