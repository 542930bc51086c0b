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
  off,     // the system writes when it likes: survives the death of the process, not that of the machine
  normal,  // synced at checkpoints: a power cut may undo the last commits, but leaves a consistent file
  full,    // synced at every commit
};

struct SpoolFile {
  NameHold name;  // of those who write
  sqlite::Database database;
  std::uint64_t id = 0;
  std::optional<LogNote> note;  // as it was before the database was opened
};

// An error when something other than a plain file stands at the path of a spool; before anything is put beside it.
base::Result<void> check_kind(const std::string& path);

// `path`, or, where a symbolic link stands there, what it leads to: locks, log and other files stand beside the spool itself, so
// that all its names are one spool.
[[nodiscard]] std::string real_path(const std::string& path);

// Of what stands at the path now; 0 for nothing.
[[nodiscard]] std::uint64_t inode_of(const std::string& path);

// For the one process that holds the writer's lock: creates the file (0600), migrates an older one. Here and in the next: error
// busy when the file is in use by another name.
base::Result<SpoolFile> open_for_writing(const std::string& path, Sync sync, base::Duration wait);

// For consumers: writes its own rows, adds what the release that made the file did not know, never migrates, never checkpoints. The
// file must belong to our user. `what` names it in errors.
base::Result<SpoolFile> open_for_consumer(const std::string& path, base::Duration wait);

// For readers: nothing is written, and where the disk is full, or file or folder belong to somebody else, nothing is put beside the
// file (Database::still()). nullopt when the file is absent, or there but still empty.
base::Result<std::optional<SpoolFile>> open_for_reading(const std::string& path, base::Duration wait);

// The error for those who need one: absent, or empty.
[[nodiscard]] base::Error nothing_to_read(const std::string& path);

}  // namespace weir::spool
