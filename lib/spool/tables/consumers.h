// The table `consumers`: the consumers of the spool, and what each has acknowledged.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/place.h"
#include "spool/raw_pages.h"
#include "sqlite/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

struct ConsumerRow {
  std::string name;
  std::string match = {};  // --match as written
  PlaceSet places = {};    // acknowledged places
  base::Timestamp created = 0;
  base::Timestamp updated = 0;  // different for each state of the row
};

// In the order of the names. Error of this function and the next: corrupt, which names the consumer.
base::Result<std::vector<ConsumerRow>> read_consumers(sqlite::Database& database);
base::Result<std::optional<ConsumerRow>> read_consumer(sqlite::Database& database, std::string_view name);
base::Result<std::vector<std::string>> consumer_names(sqlite::Database& database);
base::Result<bool> is_consumer(sqlite::Database& database, std::string_view name);
// The number below which every consumer has acknowledged all blocks; nullopt when there is no consumer.
base::Result<std::optional<std::uint64_t>> lowest_consumer_block(sqlite::Database& database);

base::Result<void> insert_consumer(sqlite::Database& database, const ConsumerRow& row);
// Changes all columns except name and `created`. Does nothing when the row was deleted.
base::Result<void> update_consumer(sqlite::Database& database, std::string_view name, std::string_view match,
                                   const PlaceSet& places, base::Timestamp updated);
base::Result<void> delete_consumer(sqlite::Database& database, std::string_view name);
// As insert_consumer(), but replaces a row of the same name.
base::Result<void> restore_consumer(sqlite::Database& database, const ConsumerRow& row);

// Reads a row of a damaged file, without places that cannot be read. Nullopt: it is not a row of this table.
[[nodiscard]] std::optional<ConsumerRow> consumer_of(const RawRow& row);

}  // namespace weir::spool
