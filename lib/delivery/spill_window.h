// The blocks of `buffer --spill` that were passed on and are not stored. Until a block is acknowledged, the log files that it
// came from are the buffer. Most blocks never have to be written.
//
// States of a block:
// - in the window: passed on, neither acknowledged nor stored.
// - acknowledged: it leaves the window. Its positions are settled, and wait to be stored.
// - stored: the owner has written it to the spool, so it leaves the window.
//
// Events: add() brings a block. read_acknowledgements() reads the acknowledgements. overdue() and stuck() name a block that the
// owner must store; stored_oldest() says that it has. settled() gives the positions of acknowledged blocks; stored_settled() says
// that they are stored.
//
// Invariants:
// - Blocks leave only at the oldest end. So the positions in the spool never have a hole.
// - A block counts as acknowledged when all of its places are. A block without records counts at once.
// - Held records are in no block of the window: they are stored before their group comes here.
// - While another consumer is registered, no block with records counts as acknowledged: that consumer reads the file, so every
//   block must be stored.
// - The window holds at most `memory` bytes, or one larger block.
// - The positions of settled blocks are stored before or with those of the oldest block.
//
// Why: the log files exist anyway, so writing their records a second time is needed only when an acknowledgement is late.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/record.h"
#include "spool/place.h"
#include "spool/reader.h"
#include "spool/writer.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace weir::delivery {

struct SpillLimits {
  std::uint64_t memory = 6 << 20;               // bytes of blocks
  base::Duration age = 5 * base::kSecond;       // a block without acknowledgement for so long is stored
  base::Duration patience = base::kSecond;      // how long a full window waits for an acknowledgement before blocks are stored
  base::Duration settle = 5 * base::kSecond;    // how often the positions of acknowledged blocks are stored
  base::Duration end_wait = 2 * base::kSecond;  // how long the end waits for acknowledgements before it stores the rest
};

struct SpilledBlock {
  std::uint64_t number = 0;
  std::shared_ptr<record::Batch> records;  // as buffer took them; null: only positions
  std::uint64_t bytes = 0;
  std::string positions;
  base::Monotonic taken = 0;
};

// Not thread safe. Another thread may read the records of a block at the same time.
class SpillWindow {
 public:
  SpillWindow(const SpillLimits& limits, std::string consumer, std::unique_ptr<spool::Reader> spool);

  [[nodiscard]] bool empty() const { return blocks_.empty(); }
  [[nodiscard]] bool has_room(std::uint64_t bytes) const { return blocks_.empty() || bytes_ + bytes <= limits_.memory; }
  void add(SpilledBlock block);

  // Reads the acknowledgements and releases the acknowledged blocks. Error: the spool cannot be read.
  base::Result<void> read_acknowledgements(base::Monotonic now);

  // overdue(): the oldest block, when it has waited too long. stuck(): the oldest block, when no block was acknowledged for
  // `patience`; for a full window. Null: none.
  [[nodiscard]] const SpilledBlock* overdue(base::Monotonic now) const;
  [[nodiscard]] const SpilledBlock* stuck(base::Monotonic now) const;
  [[nodiscard]] const SpilledBlock* oldest() const { return blocks_.empty() ? nullptr : &blocks_.front(); }

  // What to store with the oldest block: the settled positions, then its own. stored_oldest() says that this is stored.
  [[nodiscard]] std::vector<spool::Handed> with_oldest() const;
  void stored_oldest();

  // The positions of acknowledged blocks that are not in the file, joined under the latest of these blocks. stored_settled()
  // says that they are stored.
  [[nodiscard]] std::vector<spool::Handed> settled() const;
  void stored_settled() {
    settled_.clear();
    acknowledged_to_ = 0;
  }
  void settle_later(base::Monotonic now) { settle_at_ = base::after(now, limits_.settle); }

  // All positions that are not in the file, for the writer's note. Nobody acknowledges the number of a block without records.
  // So the settled positions up to the last block with records get the number of that block, and the others the last number of all.
  [[nodiscard]] std::vector<spool::Handed> unstored() const;

  // When read_acknowledgements() is due because of age or positions.
  [[nodiscard]] base::Monotonic due() const;
  [[nodiscard]] bool settle_due(base::Monotonic now) const { return !settled_.empty() && now >= settle_at_; }

  // Memory of a released block, to be filled again. No other thread reads it; see BufferDrain::synchronize().
  record::Batch spare();

 private:
  void release_oldest();
  [[nodiscard]] spool::Handed joined(std::size_t from, std::size_t to) const;

  const SpillLimits limits_;
  const std::string consumer_;
  std::unique_ptr<spool::Reader> spool_;
  std::deque<SpilledBlock> blocks_;
  std::uint64_t bytes_ = 0;
  std::vector<spool::Handed> settled_;
  std::size_t acknowledged_to_ = 0;  // how many of settled_ there are up to the last block with records
  base::Monotonic settle_at_ = base::kNever;
  base::Monotonic progress_ = 0;  // when the window was last empty, or a block was last acknowledged
  spool::PlaceSet committed_, acknowledged_;
  bool others_ = false;  // another consumer of the spool is registered
  base::Monotonic read_file_at_ = 0;
  std::vector<record::Batch> spare_;
};

}  // namespace weir::delivery
