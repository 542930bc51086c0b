// The table `requests`: requests of other processes to the writer. It does the oldest first, and deletes it when it is done.
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

// Returns the number of the request.
base::Result<std::int64_t> request_compaction(sqlite::Database& database, base::Timestamp now);
// Does nothing when there is such a request already.
base::Result<void> request_set_aside(sqlite::Database& database, base::Timestamp now, std::uint64_t block);

// The oldest request of a kind that this release knows.
base::Result<std::optional<RequestRow>> oldest_request(sqlite::Database& database);
base::Result<bool> has_request(sqlite::Database& database, std::int64_t id);
base::Result<void> delete_request(sqlite::Database& database, std::int64_t id);

}  // namespace weir::spool
