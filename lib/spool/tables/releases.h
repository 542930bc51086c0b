// The tables of releases (weir-spool.5): `releases` (a row a release), `release_requests` (what the writer has still to copy, a row
// a release and block) and `release_blocks` (the new blocks that hold what was copied).
//
// They came without a new format number: a file that an older release of weir made may lack them. Who only reads asks
// has_releases() first.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/ordinal_set.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

enum class ReleaseState : std::uint8_t {
  selecting,  // a process still adds blocks; the writer copies none of them yet
  open,       // the writer copies what release_requests has of it; without a row there it is done
  cancelled,  // what was not copied then stays held
};

struct ReleaseRow {
  std::string id;
  base::Timestamp created = 0;  // when it was asked for
  std::string query;            // LogQL, for people
  base::Timestamp from = 0, to = 0;
  ReleaseState state = ReleaseState::selecting;
  std::uint64_t matched = 0;   // records that were selected
  std::uint64_t released = 0;  // of those, copied into new blocks
  std::uint64_t left_out = 0;  // of those, not copied: their block is gone or damaged, or another release had them
  // Read only: the sum over release_requests.
  std::uint64_t pending = 0;
};

struct ReleaseRequestRow {
  std::string release;
  std::uint64_t block = 0;
  std::uint64_t records = 0;
  OrdinalSet ordinals;
};

struct ReleaseBlockRow {
  std::uint64_t block = 0;
  std::string release;
  std::uint64_t records = 0;
  // Once the block has left the spool: how many of its records were refused, and how many nobody had.
  bool gone = false;
  std::uint64_t refused = 0, lost = 0;
};

base::Result<bool> has_releases(sqlite::Database& database);

base::Result<std::optional<ReleaseRow>> read_release(sqlite::Database& database, std::string_view id);
// The oldest first.
base::Result<std::vector<ReleaseRow>> read_releases(sqlite::Database& database);
// In place of a row with the same id. `pending` is not stored.
base::Result<void> put_release(sqlite::Database& database, const ReleaseRow& release);
base::Result<void> set_release_state(sqlite::Database& database, std::string_view id, ReleaseState state);
// Adds to what it says.
base::Result<void> count_released(sqlite::Database& database, std::string_view id, std::uint64_t released, std::uint64_t left_out);
// The row, and the rows of its requests and blocks.
base::Result<void> delete_release(sqlite::Database& database, std::string_view id);
// Of the releases that were asked for before `time`, those that have nothing to copy and no block in the spool.
base::Result<void> delete_old_releases(sqlite::Database& database, base::Timestamp time);

base::Result<void> add_release_request(sqlite::Database& database, const ReleaseRequestRow& request);
// Of the release that was asked for first and is open, the block with the lowest number. Blocks that may still be taken back
// (held_groups) have to wait. Error: corrupt.
base::Result<std::optional<ReleaseRequestRow>> next_release_request(sqlite::Database& database);
base::Result<void> delete_release_request(sqlite::Database& database, std::string_view release, std::uint64_t block);
// Of one release; how many records they asked for.
base::Result<std::uint64_t> delete_release_requests(sqlite::Database& database, std::string_view release);
// Blocks that some release still needs, by number.
base::Result<std::vector<std::uint64_t>> blocks_to_release(sqlite::Database& database);

base::Result<void> add_release_block(sqlite::Database& database, const ReleaseBlockRow& block);
base::Result<bool> is_release_block(sqlite::Database& database, std::uint64_t block);
// Nothing when it is none.
base::Result<void> release_block_goes(sqlite::Database& database, std::uint64_t block, std::uint64_t refused, bool undelivered);
base::Result<std::vector<ReleaseBlockRow>> read_release_blocks(sqlite::Database& database);

}  // namespace weir::spool
