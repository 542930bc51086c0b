// The table `requests`: what other processes ask the writer for. The oldest is served first and deleted when it is done.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>

namespace weir::spool {

struct RequestRow {
  enum class Kind : std::uint8_t {
    compact,  // give unused space back
    damaged,  // set `block` aside
  };
  std::int64_t id = 0;
  Kind kind = Kind::compact;
  std::uint64_t block = 0;
};

// Its number.
base::Result<std::int64_t> ask_to_compact(sqlite::Database& database, base::Timestamp now);
// Nothing when it is asked for already.
base::Result<void> ask_to_set_aside(sqlite::Database& database, base::Timestamp now, std::uint64_t block);

// Of those that this release knows.
base::Result<std::optional<RequestRow>> oldest_request(sqlite::Database& database);
base::Result<bool> has_request(sqlite::Database& database, std::int64_t id);
base::Result<void> delete_request(sqlite::Database& database, std::int64_t id);

}  // namespace weir::spool
