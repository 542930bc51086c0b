// What the recent files beside a spool add to what its database says: acknowledgements and positions since the last commit.
#pragma once

#include "base/result.h"
#include "spool/keeper.h"
#include "spool/recent_places.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::spool {

// What a writer noted since its last commit.
struct Noted {
  bool safe = false;  // the positions are safe as they are; otherwise each when its block is acknowledged by everybody
  std::vector<Handed> handed;
};

[[nodiscard]] std::string encode_noted(std::uint64_t next_block, bool safe, std::span<const Handed> handed);

// What each consumer has acknowledged: its row, or what it noted, where that builds on the row. Errors: corrupt, io.
base::Result<std::vector<RecentPlaces>> recently_acknowledged(sqlite::Database& database, const std::string& path,
                                                              std::uint64_t spool);

// The number of the next block: above everything that was ever given out, stored or acknowledged. Errors: corrupt, io.
base::Result<std::uint64_t> next_number(sqlite::Database& database, const std::string& path, std::uint64_t spool);

// Nullopt when there is nothing, or it is of another time than a spool whose next block has this number.
[[nodiscard]] std::optional<Noted> read_noted(const std::string& path, std::uint64_t spool, std::uint64_t next_block);

// Those of the noted positions that are safe now and not in the database, in their order. Errors: corrupt, io.
base::Result<std::vector<Handed>> safe_positions(sqlite::Database& database, const std::string& path, std::uint64_t spool,
                                                 Noted noted, std::uint64_t next_block);

// Snapshot and deltas, and what was noted since, into `keeper`: in a read transaction of the caller. Errors: as load_positions().
base::Result<void> load_recent_positions(sqlite::Database& database, const std::string& path, std::uint64_t spool, Keeper& keeper);

}  // namespace weir::spool
