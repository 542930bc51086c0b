// What was lost before it came into the spool: rows of the table `meta`, so that releases that do not know them leave them alone.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/gap.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::spool {

// Parts of logs that tail could not read and has reported by gap records, and held records that were not stored. Since some time:
// of a spool since it was made; of a writer since its last commit.
struct Losses {
  record::LostData data;                        // what gap records report
  base::Timestamp first_gap = 0, last_gap = 0;  // when such a record came
  std::uint64_t held_shed = 0;                  // held records without room

  [[nodiscard]] bool empty() const { return data.parts == 0 && held_shed == 0; }
  void add_gap(std::string_view log, std::optional<std::uint64_t> bytes, base::Timestamp now);
};

// Adds to what is there. In the caller's transaction.
base::Result<void> add_losses(sqlite::Database& database, const Losses& more);
base::Result<Losses> read_losses(sqlite::Database& database);

}  // namespace weir::spool
