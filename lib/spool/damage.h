// What is done about damage. A block that cannot be read is left out by whoever meets it and set aside by the writer; a file that
// SQLite cannot read is looked at again when the writer opens it (spool/salvage.h).
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

// Copies row and body of a block as they lie there into a file `SPOOL.damaged-TIME-block-N`, a SQLite file with the tables `blocks`
// and `bodies`; its name. Not within a transaction.
base::Result<std::string> save_block(sqlite::Database& database, std::uint64_t block, const base::Clock& clock);

// A name beside the spool that is not taken: `SPOOL.damaged-20260102T030405Z-REASON`.
[[nodiscard]] std::string damaged_path(const std::string& path, const base::Clock& clock, const std::string& reason);

// Leaves a note for the next open: the file was found damaged while it was written.
void mark_damaged(const std::string& path);
void unmark_damaged(const std::string& path);

// Error corrupt when the note is there, or when the first page is damaged in a file that is a spool without doubt. What is somebody
// else's, or cannot be told, passes: SQLite and the file's identity decide.
base::Result<void> look_whole(const std::string& path);

// Whether the file is a spool, damaged or not: by its identity, its tables, or a first page of nothing but zeros.
[[nodiscard]] bool is_spool(const std::string& path);

// What a writer relies on besides the list of blocks: positions and acknowledgements. Error: corrupt.
base::Result<void> check_small(sqlite::Database& database, const std::string& path);

}  // namespace weir::spool
