// What the recent files beside a spool add to its database: acknowledgements and positions since the last commit.
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

// What a writer put into its recent file since its last commit.
struct Noted {
  bool safe = false;  // true: all positions are safe; false: each is safe when every consumer has acknowledged its block
  std::vector<Handed> handed;
};

[[nodiscard]] std::string encode_noted(std::uint64_t next_block, bool safe, std::span<const Handed> handed);

// What each consumer has acknowledged, from its recent file where that is valid, else from its row. Errors: corrupt, io.
base::Result<std::vector<RecentPlaces>> recently_acknowledged(sqlite::Database& database, const std::string& path,
                                                              std::uint64_t spool);

// The number of the next block. It is higher than every number that was ever handed out, stored or acknowledged. Errors: corrupt,
// io.
base::Result<std::uint64_t> next_number(sqlite::Database& database, const std::string& path, std::uint64_t spool);

// Reads the writer's recent file. Nullopt when there is none, or when it does not belong to the state of the spool in which
// `next_block` is the number of the next block.
[[nodiscard]] std::optional<Noted> read_noted(const std::string& path, std::uint64_t spool, std::uint64_t next_block);

// The positions in `noted` that are safe now and not yet in the database, in their order. Errors: corrupt, io.
base::Result<std::vector<Handed>> safe_positions(sqlite::Database& database, const std::string& path, std::uint64_t spool,
                                                 Noted noted, std::uint64_t next_block);

// Loads the snapshot, the deltas and the positions of the recent file into `keeper`. The caller has a read transaction. Errors: as
// load_positions().
base::Result<void> load_recent_positions(sqlite::Database& database, const std::string& path, std::uint64_t spool, Keeper& keeper);

}  // namespace weir::spool
