// The tables of a spool file (weir-spool.5). All rows are read and written by the functions of this folder, so that each column is
// named and decoded in one place: the file of its table.
//
// The functions of all tables work in the caller's transaction, or else run each statement in a transaction of its own. Errors,
// besides the named ones: as sqlite::Statement's.
#pragma once

#include "base/result.h"
#include "sqlite/database.h"
#include "sqlite/migrations.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weir::spool {

[[nodiscard]] const sqlite::Format& spool_format();

// The text that SQLite stores in a file, "CREATE TABLE ..."; "" for a table that is not part of the first format.
[[nodiscard]] std::string_view create_statement(std::string_view table);

// Adds tables and triggers that the release that made the file did not know. In a transaction of its own.
base::Result<void> add_new_tables(sqlite::Database& database);

// The root page of each table. The tables are made together and never dropped, so that the pages are the same in every file. Only
// `rejected_ranges`, `held_groups` and the tables of releases may have other pages, in a file of an older release.
base::Result<std::map<std::string, std::uint32_t>> table_roots();

// Error corrupt when a table or index is missing or differs from what this release makes.
base::Result<void> check_schema(sqlite::Database& database);

// An unsigned number as a signed one that SQLite can compare.
[[nodiscard]] inline std::int64_t as_key(std::uint64_t number) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(number, INT64_MAX));
}

}  // namespace weir::spool
