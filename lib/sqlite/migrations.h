// Numbered migrations, `user_version` and `application_id` of a SQLite file.
#pragma once

#include "base/result.h"
#include "sqlite/database.h"

#include <cstdint>
#include <span>

namespace weir::sqlite {

struct Format {
  std::uint32_t application_id = 0;
  // Step i takes a file from user_version i to i + 1. The last version is the number of steps. Each step is one transaction.
  std::span<const char* const> steps;
  const char* name = "";  // "weir spool", for errors
};

enum class FileKind : std::uint8_t {
  empty,  // no tables, no identity: just created, or another process is creating it at this moment
  older,  // ours; needs migration
  current,
};

// What `database` is. Errors: usage (another application's file), version (newer than this program; names both numbers).
base::Result<FileKind> identify(Database& database, const Format& format);

// Brings an empty or older file up to date. Only for the process that holds the writer's lock.
base::Result<void> migrate(Database& database, const Format& format);

}  // namespace weir::sqlite
