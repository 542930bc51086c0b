#include "spool/tables/consumers.h"

namespace weir::spool {
namespace {

// Of a statement that selects them in this order: name, match, block, ordinal, partial, created, updated.
base::Result<ConsumerRow> row_of(const sqlite::Statement& from) {
  const BlockPlace before{static_cast<std::uint64_t>(from.integer(2)), static_cast<std::uint32_t>(from.integer(3))};
  auto places = PlaceSet::decode(before, from.blob(4));
  if (!places)
    return std::move(places).error().within(fmt::format("cannot read what consumer '{}' has acknowledged", from.text(0)));
  return ConsumerRow{std::string(from.text(0)), std::string(from.text(1)), std::move(*places), from.integer(5), from.integer(6)};
}

struct Written {
  std::string_view name, match;
  const PlaceSet& places;
  base::Timestamp created, updated;
};

base::Result<void> put(sqlite::Database& database, std::string_view sql, const Written& row) {
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  const BlockPlace before = row.places.before();
  const std::string partial = row.places.encode_stretches();
  (*statement)
      ->bind_text(1, row.name)
      .bind_text(2, row.match)
      .bind(3, static_cast<std::int64_t>(before.block))
      .bind(4, before.ordinal);
  return (*statement)->bind_blob(5, partial).bind(6, row.created).bind(7, row.updated).run();
}

}  // namespace

base::Result<std::vector<ConsumerRow>> read_consumers(sqlite::Database& database) {
  auto rows = database.query("SELECT name, match, block, ordinal, partial, created, updated FROM consumers ORDER BY name");
  if (!rows) return std::move(rows).error();
  std::vector<ConsumerRow> consumers;
  auto done = (*rows)->for_rows([&]() -> base::Result<void> {
    auto row = row_of(**rows);
    if (!row) return std::move(row).error();
    consumers.push_back(std::move(*row));
    return {};
  });
  if (!done) return std::move(done).error();
  return consumers;
}

base::Result<std::optional<ConsumerRow>> read_consumer(sqlite::Database& database, std::string_view name) {
  auto statement = database.query("SELECT name, match, block, ordinal, partial, created, updated FROM consumers WHERE name = ?");
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->bind_text(1, name).step();
  if (!found) return std::move(found).error();
  if (!*found) return std::optional<ConsumerRow>();
  auto row = row_of(**statement);
  if (!row) return std::move(row).error();
  return std::optional(std::move(*row));
}

base::Result<std::vector<std::string>> consumer_names(sqlite::Database& database) {
  auto rows = database.query("SELECT name FROM consumers ORDER BY name");
  if (!rows) return std::move(rows).error();
  std::vector<std::string> names;
  auto done = (*rows)->for_rows([&] { names.emplace_back((*rows)->text(0)); });
  if (!done) return std::move(done).error();
  return names;
}

base::Result<bool> is_consumer(sqlite::Database& database, std::string_view name) {
  auto statement = database.query("SELECT 1 FROM consumers WHERE name = ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind_text(1, name).step();
}

base::Result<std::optional<std::uint64_t>> lowest_consumer_block(sqlite::Database& database) {
  auto statement = database.query("SELECT min(block) FROM consumers");
  if (!statement) return std::move(statement).error();
  auto row = (*statement)->step();
  if (!row) return std::move(row).error();
  if ((*statement)->is_null(0)) return std::optional<std::uint64_t>();
  return std::optional(static_cast<std::uint64_t>((*statement)->integer(0)));
}

base::Result<void> insert_consumer(sqlite::Database& database, const ConsumerRow& row) {
  return put(database,
             "INSERT INTO consumers (name, match, block, ordinal, partial, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?)",
             {row.name, row.match, row.places, row.created, row.updated});
}

base::Result<void> update_consumer(sqlite::Database& database, std::string_view name, std::string_view match,
                                   const PlaceSet& places, base::Timestamp updated) {
  // ?6, when the name was registered, stays.
  return put(database, "UPDATE consumers SET match = ?2, block = ?3, ordinal = ?4, partial = ?5, updated = ?7 WHERE name = ?1",
             {name, match, places, 0, updated});
}

base::Result<void> delete_consumer(sqlite::Database& database, std::string_view name) {
  auto statement = database.prepare("DELETE FROM consumers WHERE name = ?");
  if (!statement) return std::move(statement).error();
  return statement->bind_text(1, name).run();
}

base::Result<void> restore_consumer(sqlite::Database& database, const ConsumerRow& row) {
  return put(
      database,
      "INSERT OR REPLACE INTO consumers (name, match, block, ordinal, partial, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?)",
      {row.name, row.match, row.places, row.created, row.updated});
}

std::optional<ConsumerRow> consumer_of(const RawRow& row) {
  using enum RawValue::Kind;
  if (!row.is_of({bytes, bytes, integer, integer, bytes, integer, integer})) return std::nullopt;
  const BlockPlace before{static_cast<std::uint64_t>(row.values[2].integer), static_cast<std::uint32_t>(row.values[3].integer)};
  if (before.block == 0) return std::nullopt;
  auto places = PlaceSet::decode(before, row.values[4].bytes);
  return ConsumerRow{std::string(row.values[0].bytes), std::string(row.values[1].bytes),
                     places ? std::move(*places) : PlaceSet(before), row.values[5].integer, row.values[6].integer};
}

}  // namespace weir::spool
