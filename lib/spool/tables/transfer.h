// Whole rows from file to file, as they lie there: with columns and tables that this release does not know, and with what is
// damaged.
#pragma once

#include "base/result.h"
#include "sqlite/database.h"

#include <cstdint>
#include <string>

namespace weir::spool {

// All of `meta`, in place of what is there, but for the checksum of the snapshot; all consumers; and all tables but those that a
// copy fills row by row (meta, consumers, positions, blocks, bodies). Within a transaction of each.
base::Result<void> copy_small_tables(sqlite::Database& from, sqlite::Database& to);
// Row and body, in place of what is there. False when the block is gone.
base::Result<bool> copy_block(sqlite::Database& from, sqlite::Database& to, std::uint64_t block);
// Row and body into the SQLite file `path`, which is empty. Not within a transaction.
base::Result<void> save_block_rows(sqlite::Database& from, std::uint64_t block, const std::string& path);

}  // namespace weir::spool
