// What a spool's file says of its write-ahead log: how far the log went when the writer last committed.
//
// Commits stay in the log until they are copied into the file. A file that was copied without its log, or whose log was removed, is
// valid by itself, and nothing in it shows that records are missing. So the writer leaves a note in the file after each commit. It
// writes past SQLite, into the free space in the middle of the first page: no reader looks there, and SQLite never uses that space,
// because the tables do not change. A copy of the log into the file may overwrite the note with an older one. Then the note says
// less than it could, but nothing wrong.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/timestamp.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::spool {

struct LogNote {
  std::uint64_t row = 0;      // the number of the newest block or snapshot that was committed
  std::uint64_t records = 0;  // in the spool at that commit
  base::Timestamp time = 0;   // of that commit
};

// For the writer. `fd` is a descriptor of the spool that may write. Does nothing when the first page has no room for a note.
void leave_note(int fd, const LogNote& note);

// The note in the file; nullopt when there is none.
[[nodiscard]] std::optional<LogNote> read_note(const std::string& path);

// The records that were in the log and are missing in the database.
struct MissingLog {
  std::uint64_t records = 0;        // in the database
  std::uint64_t records_known = 0;  // that the spool held at least
  base::Timestamp until = 0;        // when the newest of the missing records was stored
};

// Compares the database with `note`, which was read first. Nullopt: nothing is missing. Errors: corrupt, io.
base::Result<std::optional<MissingLog>> find_missing(sqlite::Database& database, const std::optional<LogNote>& note);

// A sentence that says which file and which records are missing.
[[nodiscard]] std::string describe(const std::string& path, const MissingLog& missing);

}  // namespace weir::spool
