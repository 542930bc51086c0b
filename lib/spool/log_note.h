// What a spool's file says of its write-ahead log: how far the log went when the writer last committed.
//
// What is committed lies in the log until it is copied into the file, and the two are one only together. A file that was copied
// without its log, or whose log was removed, is whole in itself and says nothing of what is missing. So after each commit the
// writer leaves a note in the file itself, around SQLite: in the free space in the middle of the first page, which no reader looks
// at and where nothing is ever put because the tables never change. What is copied out of the log may lay an older note over it;
// then less is known, and nothing wrong.
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
  std::uint64_t records = 0;  // that the spool held then
  base::Timestamp time = 0;   // of that commit
};

// For the writer, with a descriptor of the spool that may write. Where there is no place for it none is left.
void leave_note(int fd, const LogNote& note);

// As it lies in the file now; nullopt for none.
[[nodiscard]] std::optional<LogNote> read_note(const std::string& path);

// What the file's log held and the database does not show.
struct MissingLog {
  std::uint64_t records = 0;        // that the database shows
  std::uint64_t records_known = 0;  // that the spool held at least
  base::Timestamp until = 0;        // when the newest was stored that is missing
};

// `note` was read before what `database` shows. Nullopt: nothing is missing. Errors: corrupt, io.
base::Result<std::optional<MissingLog>> find_missing(sqlite::Database& database, const std::optional<LogNote>& note);

// One sentence: what is missing, and which file.
[[nodiscard]] std::string tell(const std::string& path, const MissingLog& missing);

}  // namespace weir::spool
