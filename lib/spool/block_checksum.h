// What protects a block's row and body, and how stored positions are put together again.
#pragma once

#include "base/result.h"
#include "spool/block_info.h"
#include "spool/keeper.h"
#include "sqlite/database.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::spool {

// A block as it lies in the file.
struct BlockRow {
  BlockInfo info;
  std::uint64_t checksum = 0;
  std::string streams, positions, body;
  [[nodiscard]] bool sound() const;
};

// Over the numbers of the row, the packed columns and the body, each seeded with the hash before it (weir-spool.5).
[[nodiscard]] std::uint64_t block_checksum(const BlockInfo& info, std::string_view streams, std::string_view positions, std::string_view body);

// Of the snapshot of positions; kept in `meta` as 'positions_checksum'.
[[nodiscard]] std::uint64_t snapshot_checksum(std::uint64_t through_block, std::string_view body);

// Snapshot and deltas into `keeper`, in one read transaction of the caller or its own. The delta of a
// block whose checksum is wrong is left out, since what it says may be what is damaged, unless later ones make no sense without it.
// `noted`: deltas of blocks that have no row, in their order; each takes its place among the rows. Error: corrupt.
base::Result<void> load_positions(sqlite::Database& database, Keeper& keeper, std::span<const Handed> noted = {});

}  // namespace weir::spool
