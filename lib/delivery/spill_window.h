// The blocks of `buffer --spill` that were passed on and are not stored: until they are acknowledged the log files they came from are
// the buffer, and most never have to be written.
//
// Blocks leave at the oldest end only: acknowledged, or taken out to be stored. So what the spool says of positions never has a hole. A
// consumer other than the one behind this buffer reads the file, so that with one registered every block has to be stored.
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
  std::uint64_t memory = 6 << 20;                  // bytes of blocks
  base::Duration age = 5 * base::kSecond;          // unacknowledged for so long: stored
  base::Duration patience = base::kSecond;         // how long a full window waits for any acknowledgement before it is emptied into the file
  base::Duration settle = 5 * base::kSecond;       // how often positions of acknowledged blocks are stored
  base::Duration last_word = 2 * base::kSecond;    // for acknowledgements at the end, before the rest is stored
};

struct SpilledBlock {
  std::uint64_t number = 0;
  std::shared_ptr<record::Batch> records;          // as buffer took them; null: positions alone
  std::uint64_t bytes = 0;
  std::string positions;
  base::Monotonic taken = 0;
  bool held = false;                               // some record is: only a stored block keeps it
};

// Not thread safe; the records of a block may be read by another thread meanwhile.
class SpillWindow {
 public:
  SpillWindow(const SpillLimits& limits, std::string consumer, std::unique_ptr<spool::Reader> spool);

  [[nodiscard]] bool empty() const { return blocks_.empty(); }
  [[nodiscard]] bool has_room(std::uint64_t bytes) const { return blocks_.empty() || bytes_ + bytes <= limits_.memory; }
  void add(SpilledBlock block);

  // Lets go of what has been acknowledged by now. Error: the spool cannot be read.
  base::Result<void> look(base::Monotonic now);

  // The oldest block, if it has waited for too long; or if the window is full and nothing is being acknowledged. Null: none.
  [[nodiscard]] const SpilledBlock* overdue(base::Monotonic now) const;
  [[nodiscard]] const SpilledBlock* stuck(base::Monotonic now) const;
  [[nodiscard]] const SpilledBlock* oldest() const { return blocks_.empty() ? nullptr : &blocks_.front(); }

  // What is to be stored with the oldest block, oldest first, itself last; and that this has been done.
  [[nodiscard]] std::vector<spool::Handed> with_oldest() const;
  void stored_oldest();

  // Positions of blocks that are acknowledged and not in the file yet, as those of the last; and that they are stored.
  [[nodiscard]] std::vector<spool::Handed> settled() const;
  void stored_settled() { settled_.clear(); }
  void settle_later(base::Monotonic now) { settle_at_ = base::after(now, limits_.settle); }

  // All that the file does not have yet, for the writer's note.
  [[nodiscard]] std::vector<spool::Handed> unstored() const;

  // When to look again for the sake of age and positions.
  [[nodiscard]] base::Monotonic due() const;
  [[nodiscard]] bool settle_due(base::Monotonic now) const { return !settled_.empty() && now >= settle_at_; }

  // Memory of a block that has gone, to be filled again. Whoever else read it has let go of it; see BufferDrain::meet().
  record::Batch spare();

 private:
  void release_oldest();

  const SpillLimits limits_;
  const std::string consumer_;
  std::unique_ptr<spool::Reader> spool_;
  std::deque<SpilledBlock> blocks_;
  std::uint64_t bytes_ = 0;
  std::vector<spool::Handed> settled_;
  base::Monotonic settle_at_ = base::kNever;
  base::Monotonic progress_ = 0;                   // when the window was empty or a block was acknowledged
  spool::PlaceSet committed_, acknowledged_;
  bool others_ = false;                            // somebody else consumes the spool, too
  base::Monotonic read_file_at_ = 0;
  std::vector<record::Batch> spare_;
};

}  // namespace weir::delivery
