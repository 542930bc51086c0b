// The table `meta`: numbers by name. A number that was never set is 0.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "sqlite/database.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::spool {

enum class Meta : std::uint8_t {
  spool,                // the identity
  created,              // wall clock
  reserved_block,       // no writer hands out a number up to this one
  rejected_max,         // the most bytes in the rejected store, set by the latest writer
  rejected_bytes,       // bytes in the rejected store; triggers update it
  evicted_undelivered,  // since the spool was made, as the next three
  evicted_rejected,
  damaged_blocks,
  damaged_records,
  clock_boot,          // spool/clock_steps.h: the boot of the machine …
  clock_offset,        // … and the wall clock less the monotonic clock in it
  positions_checksum,  // of the snapshot
  max_size,            // --max-size of the latest writer …
  min_free,            // … its --min-free, percent …
  drops_oldest,        // … and 1 where it evicts undelivered records (--on-full drop-oldest)
  evicted_last,        // when undelivered records were evicted the last time
  evicted_held,        // held records that were evicted to make room, before their time
  gaps,                // tables/losses.h: its numbers
  gap_bytes,
  gaps_unknown,
  first_gap,
  last_gap,
  held_shed,
  max_behind,  // nanoseconds that a record may be behind its stream, by the latest writer; see spool/release.h
};

[[nodiscard]] std::string_view name_of(Meta key);

base::Result<std::int64_t> read_meta(sqlite::Database& database, Meta key);
base::Result<void> set_meta(sqlite::Database& database, Meta key, std::int64_t value);
base::Result<void> add_to_meta(sqlite::Database& database, Meta key, std::uint64_t more);
// Does nothing when the number is as high already.
base::Result<void> raise_meta(sqlite::Database& database, Meta key, std::uint64_t value);
// Sets a number of a damaged file, also under a name that this release does not know.
base::Result<void> restore_meta(sqlite::Database& database, std::string_view name, std::int64_t value);

// How far the wall clock was set; applies to all blocks up to `through`.
struct StoredStep {
  std::uint64_t through = 0;
  base::Duration by = 0;
};
base::Result<std::vector<StoredStep>> read_clock_steps(sqlite::Database& database);
base::Result<void> add_clock_step(sqlite::Database& database, const StoredStep& step);
// Deletes steps to which no block and no rejected record belongs any more.
base::Result<void> delete_clock_steps(sqlite::Database& database);

}  // namespace weir::spool
