// What protects a block's row and body, and how stored positions are put together again.
#pragma once

#include "base/result.h"
#include "spool/block_info.h"
#include "spool/keeper.h"
#include "sqlite/database.h"

#include <cstdint>
#include <string_view>

namespace weir::spool {

// Over the numbers of the row, the packed columns and the body, each seeded with the hash before it (weir-spool.5).
[[nodiscard]] std::uint64_t block_checksum(const BlockInfo& info, std::string_view streams, std::string_view positions, std::string_view body);

// Snapshot and deltas into `keeper`, in one read transaction of the caller or its own.
base::Result<void> load_positions(sqlite::Database& database, Keeper& keeper);

}  // namespace weir::spool
