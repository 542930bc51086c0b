// The spilling side of buffer: blocks that were passed on and wait for their acknowledgement (delivery/spill_window.h). A block
// whose acknowledgement is late is stored, and so is the oldest one when the window has no room.
#pragma once

#include "delivery/spill_window.h"
#include "pipeline/stage.h"
#include "stages/buffer_store.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace weir::stages {

// For the thread that drives the chain above buffer. `store` and `metrics` outlive it. `store` forwards to a drain before the first
// block comes. Errors of all methods: the spool cannot be read, or those of BufferStore::patiently.
class BufferSpill {
 public:
  // A block of `group_bytes` bytes of lines or more is packed fast.
  BufferSpill(const delivery::SpillLimits& limits, std::uint64_t group_bytes, std::string consumer,
              std::unique_ptr<spool::Reader> reader, BufferStore& store, BufferMetrics& metrics, const pipeline::Context& context)
      : end_wait_(limits.end_wait),
        group_bytes_(group_bytes),
        store_(store),
        metrics_(metrics),
        context_(context),
        window_(limits, std::move(consumer), std::move(reader)) {}

  // Waits until the window has room for so many bytes. Stores blocks when acknowledgements do not come, or when the chain ends.
  base::Result<void> make_room(std::uint64_t bytes);
  // Memory of an acknowledged block, to be filled again.
  record::Batch spare();
  // Passes the block on without storing it. The window has room for it. Its records are null when only positions moved.
  base::Result<void> pass(delivery::SpilledBlock block);

  // When read_acknowledgements() is due.
  [[nodiscard]] base::Monotonic due() const { return window_.due(); }
  // Drops blocks that are acknowledged from the window, and stores those that have waited for too long.
  base::Result<void> read_acknowledgements(base::Monotonic now);

  // At the end, records in flight get a moment to be acknowledged. The rest is stored.
  base::Result<void> empty(base::Monotonic deadline);

 private:
  base::Result<void> store_oldest();
  base::Result<void> settle();

  const base::Duration end_wait_;
  const std::uint64_t group_bytes_;
  BufferStore& store_;
  BufferMetrics& metrics_;
  const pipeline::Context context_;
  delivery::SpillWindow window_;
  spool::BlockBuilder builder_;  // packs blocks of the window that are stored
};

}  // namespace weir::stages
