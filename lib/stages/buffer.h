// Stores records and positions in a spool, then forwards them. This stage makes a chain survive outages and kills.
//
// With `spill` it forwards first, and stores only what is not acknowledged in time (delivery/spill_window.h). Positions follow
// the acknowledgements.
//
// Upstream: every group of records is one block and one transaction, together with the positions of the logs that it came from.
// A group is 1 MiB of lines, or what came within a second, or within three under a steady inflow. Downstream: a thread emits
// the stored blocks in order, each record with its place as source, from memory while the thread keeps up, otherwise from the
// file. A slow downstream never blocks upstream. A full spool does, unless it may evict its oldest blocks. Forwarding starts
// with everything that the consumer has not acknowledged.
//
// Held records are stored and not forwarded: in a block of their own, in the same transaction as the group that they came with;
// with `spill` in one before that, because their group is not stored. Nobody waits for them, so they wait longer for company, and
// they are shed, and counted, where the spool has no room for them or the disk is too slow (stages/hold_relief.h).
#pragma once

#include "delivery/spill_window.h"
#include "pipeline/stage.h"
#include "spool/writer.h"

#include <functional>
#include <memory>
#include <string>

namespace weir::stages {

struct BufferSpec {
  spool::WriterOptions spool;
  bool store_only = false;  // forward nothing
  bool spill = false;       // not with store_only
  delivery::SpillLimits spill_limits;
  std::string consumer = "main";             // forwarding starts at this consumer's place
  bool only_new = false;                     // forward only what is taken from the start of this run on
  std::uint64_t group_bytes = 1 << 20;       // bytes of lines in a block
  base::Duration group_age = base::kSecond;  // a block is stored when its first record is so old
  // A block is not stored for its age within this time after a commit, because most of a commit's cost is fixed.
  base::Duration commit_every = 3 * base::kSecond;
  std::uint64_t held_bytes = 2 << 20;                  // bytes of lines in a block of held records, which is stored when …
  base::Duration held_age = 10 * base::kSecond;        // … its first record is so old, or when other records are stored
  std::uint64_t release_rate = 1 << 20;                // bytes of held lines that a release copies in a second; 0: no limit
  base::Duration release_jitter = 30 * base::kSecond;  // the longest wait before a `release` marker is acted on
  std::uint64_t memory = 2 << 20;                      // bytes of stored blocks that wait in memory to be forwarded
  std::function<void()> while_waiting = {};            // called again and again on the chain's thread while the spool has no room
};

// Opens the spool. Waits for an earlier writer for up to spool.wait. Errors: those of spool::Writer::open.
base::Result<std::unique_ptr<pipeline::Stage>> make_buffer(const BufferSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
