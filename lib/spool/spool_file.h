// Opening a spool's SQLite file: its identity, format, migrations and the settings of each role (weir-spool.5).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/lock_file.h"
#include "spool/log_note.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::spool {

enum class Sync : std::uint8_t {
  off,     // never synced: survives the death of the process, but a power cut may damage the file
  normal,  // synced at checkpoints: a power cut may undo the last commits, but leaves a consistent file
  full,    // synced at every commit
};

struct SpoolFile {
  NameHold name;  // only when the file is open for writing
  sqlite::Database database;
  std::uint64_t id = 0;
  std::optional<LogNote> note;  // read before the database was opened
};

// Gives an error when `path` is something other than a plain file. Call it before any file is made beside the spool.
base::Result<void> check_kind(const std::string& path);

// Follows symbolic links: `path`, or the file that it leads to. Locks, log and other files stand beside the spool itself, so that
// all its symbolic links lead to one spool.
[[nodiscard]] std::string real_path(const std::string& path);

// The inode of the file that is at the path now; 0 when there is none.
[[nodiscard]] std::uint64_t inode_of(const std::string& path);

// For the one process that holds the writer's lock: creates the file (0600), or migrates an older one. This function and the next
// give the error busy when the file is in use under another name.
base::Result<SpoolFile> open_for_writing(const std::string& path, Sync sync, base::Duration wait);

// For consumers: adds tables that the release that made the file did not know; never migrates or checkpoints. The file must belong
// to the user of this process.
base::Result<SpoolFile> open_for_consumer(const std::string& path, base::Duration wait);

// For readers: writes nothing. When the disk is full, or file or folder belong to another user, it makes no file beside the spool
// either (Database::still()). nullopt when the file does not exist or is still empty.
base::Result<std::optional<SpoolFile>> open_for_reading(const std::string& path, base::Duration wait);

// The error for callers that need a spool: the file does not exist, or is empty.
[[nodiscard]] base::Error nothing_to_read(const std::string& path);

}  // namespace weir::spool
