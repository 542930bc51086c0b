// Copies whole rows from file to file without change: also columns and tables that this release does not know, and damaged values.
#pragma once

#include "base/result.h"
#include "sqlite/database.h"

#include <cstdint>
#include <string>

namespace weir::spool {

// Replaces `meta`, except the checksum of the snapshot. Copies all consumers, and all tables that a copy does not fill row by row
// (it does so with meta, consumers, positions, blocks, bodies). Call it within a transaction of each database.
base::Result<void> copy_small_tables(sqlite::Database& from, sqlite::Database& to);
// Copies row and body, and replaces those in `to`. False when the block was evicted.
base::Result<bool> copy_block(sqlite::Database& from, sqlite::Database& to, std::uint64_t block);
// Copies row and body into the empty SQLite file `path`. Call it outside a transaction.
base::Result<void> save_block_rows(sqlite::Database& from, std::uint64_t block, const std::string& path);

}  // namespace weir::spool
