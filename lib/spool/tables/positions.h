// The table `positions`: the snapshot, one row. What moved since lies in the rows of blocks (tables/blocks.h).
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
  std::uint64_t through_block = 0;  // what rows up to here say is part of it
  std::string body;                 // Keeper::snapshot()
  std::optional<std::uint64_t> checksum;
  // By its checksum, where the file has one.
  [[nodiscard]] bool sound() const;
};

base::Result<std::optional<SnapshotRow>> read_snapshot(sqlite::Database& database);
// 0 when there is none.
base::Result<std::uint64_t> read_through_block(sqlite::Database& database);
// With its checksum, in place of the one before.
base::Result<void> write_snapshot(sqlite::Database& database, std::uint64_t through_block, std::string_view body);

// A row of a damaged file, without its checksum, which lies in `meta`. Nullopt: it is none.
[[nodiscard]] std::optional<SnapshotRow> snapshot_of(const RawRow& row);

}  // namespace weir::spool
