// Damage in a spool. A reader that cannot read a block leaves it out, and asks the writer to set it aside. A file that SQLite
// cannot read is repaired the next time a writer opens it (spool/salvage.h).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "sqlite/database.h"

#include <cstdint>
#include <string>

namespace weir::spool {

// Asks the writer, in this process or another, to set a block aside. Errors: as open_for_consumer().
base::Result<void> report_damaged_block(const std::string& path, std::uint64_t block, const base::Clock& clock);

// Whether the block is there and cannot be read.
base::Result<bool> is_damaged(const std::string& path, std::uint64_t block);

// Copies row and body of a block, unchanged, into a file `SPOOL.damaged-TIME-block-N`, a SQLite file with the tables `blocks`
// and `bodies`, and returns its name. Call it outside a transaction.
base::Result<std::string> save_block(sqlite::Database& database, std::uint64_t block, const base::Clock& clock);

// A file name beside the spool that is not in use: `SPOOL.damaged-20260102T030405Z-REASON`.
[[nodiscard]] std::string damaged_path(const std::string& path, const base::Clock& clock, const std::string& reason);

// Leaves a note (a file beside the spool) for the next writer: the spool was found damaged while it was in use.
void mark_damaged(const std::string& path);
void unmark_damaged(const std::string& path);

// Error corrupt when mark_damaged() left a note, or when the first page is damaged in a file that is certainly a spool. Any other
// file passes this check; SQLite and the file's identity decide about it later.
base::Result<void> check_undamaged(const std::string& path);

// Whether the file is a spool, damaged or not: by its identity, its tables, or a first page of nothing but zeros.
[[nodiscard]] bool is_spool(const std::string& path);

// Checks the small tables that a writer relies on: positions and acknowledgements. Error: corrupt.
base::Result<void> check_small(sqlite::Database& database, const std::string& path);

}  // namespace weir::spool
