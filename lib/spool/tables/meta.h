// The table `meta`: numbers by name. One that was never set is 0.
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
  reserved_block,       // no writer gives out a number up to here
  rejected_max,         // bytes that the rejected store may hold, as the latest writer was told
  rejected_bytes,       // that it holds; kept by triggers
  evicted_undelivered,  // records since the spool was made; so the next ones
  evicted_rejected,
  damaged_blocks,
  damaged_records,
  clock_boot,          // spool/clock_steps.h: the run of the machine …
  clock_offset,        // … and its wall clock less its monotonic one
  positions_checksum,  // of the snapshot
};

[[nodiscard]] std::string_view name_of(Meta key);

base::Result<std::int64_t> read_meta(sqlite::Database& database, Meta key);
base::Result<void> set_meta(sqlite::Database& database, Meta key, std::int64_t value);
base::Result<void> add_to_meta(sqlite::Database& database, Meta key, std::uint64_t more);
// Nothing when it is as high already.
base::Result<void> raise_meta(sqlite::Database& database, Meta key, std::uint64_t value);
// What a damaged file said, also by a name that this release does not know.
base::Result<void> restore_meta(sqlite::Database& database, std::string_view name, std::int64_t value);

// How far the wall clock was set, for all up to a block.
struct StoredStep {
  std::uint64_t through = 0;
  base::Duration by = 0;
};
base::Result<std::vector<StoredStep>> read_clock_steps(sqlite::Database& database);
base::Result<void> add_clock_step(sqlite::Database& database, const StoredStep& step);
// Those that neither a block nor a rejected record is left of.
base::Result<void> delete_clock_steps(sqlite::Database& database);

}  // namespace weir::spool
