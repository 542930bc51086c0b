// The tables of a spool file (weir-spool.5). Whoever reads or writes a row of them does so by a function of this folder: each
// column is spelled and decoded in one place, in the file of its table.
//
// The functions of all tables: they work in the transaction of the caller, or each statement in one of its own. Errors, besides
// those that are named: as sqlite::Statement's.
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

// As SQLite keeps it in a file: "CREATE TABLE ...", "" for a table that is not of the first format.
[[nodiscard]] std::string_view create_statement(std::string_view table);

// Adds what the release that made the file did not know. In a transaction of its own.
base::Result<void> add_new_tables(sqlite::Database& database);

// Where the tables of a spool begin: they are made at once and never dropped, so it is the same page in every file; but for
// `rejected_ranges`, which an older file got later.
base::Result<std::map<std::string, std::uint32_t>> table_roots();

// Error corrupt when a table or index is missing or is not as it is made.
base::Result<void> check_schema(sqlite::Database& database);

// A number of ours as SQLite compares it.
[[nodiscard]] inline std::int64_t as_key(std::uint64_t number) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(number, INT64_MAX));
}

}  // namespace weir::spool
