// The table `positions`: one row with the snapshot. Positions that moved later are in the rows of blocks (tables/blocks.h).
#pragma once

#include "base/result.h"
#include "spool/raw_pages.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::spool {

struct SnapshotRow {
  std::uint64_t through_block = 0;  // it includes the positions of all rows up to this one
  std::string body;                 // Keeper::snapshot()
  std::optional<std::uint64_t> checksum;
  // The checksum is right, or the file has none.
  [[nodiscard]] bool sound() const;
};

base::Result<std::optional<SnapshotRow>> read_snapshot(sqlite::Database& database);
// 0 when there is no snapshot.
base::Result<std::uint64_t> read_through_block(sqlite::Database& database);
// Replaces the snapshot and its checksum.
base::Result<void> write_snapshot(sqlite::Database& database, std::uint64_t through_block, std::string_view body);

// Reads a row of a damaged file, without the checksum, which is in `meta`. Nullopt: it is not a row of this table.
[[nodiscard]] std::optional<SnapshotRow> snapshot_of(const RawRow& row);

}  // namespace weir::spool
