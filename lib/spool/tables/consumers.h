// The table `consumers`: who delivers the records of the spool, and what each has acknowledged.
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
  PlaceSet places = {};    // that are acknowledged
  base::Timestamp created = 0;
  base::Timestamp updated = 0;  // tells this state of the row from any other
};

// By name. Here and in the next: error corrupt, which names the consumer.
base::Result<std::vector<ConsumerRow>> read_consumers(sqlite::Database& database);
base::Result<std::optional<ConsumerRow>> read_consumer(sqlite::Database& database, std::string_view name);
base::Result<std::vector<std::string>> consumer_names(sqlite::Database& database);
// Every consumer has acknowledged what lies in blocks below; nullopt when there is no consumer.
base::Result<std::optional<std::uint64_t>> lowest_consumer_block(sqlite::Database& database);

base::Result<void> insert_consumer(sqlite::Database& database, const ConsumerRow& row);
// All but name and `created`. A row that was deleted stays so.
base::Result<void> update_consumer(sqlite::Database& database, std::string_view name, std::string_view match,
                                   const PlaceSet& places, base::Timestamp updated);
base::Result<void> delete_consumer(sqlite::Database& database, std::string_view name);
// As insert_consumer(), but replaces one of the name.
base::Result<void> restore_consumer(sqlite::Database& database, const ConsumerRow& row);

// A row of a damaged file; places that cannot be read are left out. Nullopt: it is none.
[[nodiscard]] std::optional<ConsumerRow> consumer_of(const RawRow& row);

}  // namespace weir::spool
