#include "spool/tables/blocks.h"

#include "spool/block_checksum.h"
#include "spool/tables/schema.h"

namespace weir::spool {
namespace {

// Of a statement that selects them in this order: id, stored, min_time, max_time, records, held, line_bytes, body_bytes.
BlockInfo info_of(const sqlite::Statement& from) {
  BlockInfo info;
  info.id = static_cast<std::uint64_t>(from.integer(0));
  info.stored = from.integer(1);
  info.min_timestamp = from.integer(2);
  info.max_timestamp = from.integer(3);
  info.records = static_cast<std::uint32_t>(from.integer(4));
  info.held = static_cast<std::uint32_t>(from.integer(5));
  info.line_bytes = static_cast<std::uint64_t>(from.integer(6));
  info.body_bytes = static_cast<std::uint64_t>(from.integer(7));
  return info;
}

// And then: checksum, streams, positions, body.
BlockView view_of(const sqlite::Statement& from) {
  return {info_of(from), static_cast<std::uint64_t>(from.integer(8)), from.blob(9), from.blob(10), from.blob(11)};
}

base::Result<void> put(sqlite::Database& database, std::string_view row_sql, std::string_view body_sql, const BlockView& block) {
  const BlockInfo& info = block.info;
  {
    auto row = database.query(row_sql);
    if (!row) return std::move(row).error();
    (*row)
        ->bind(1, static_cast<std::int64_t>(info.id))
        .bind(2, info.stored)
        .bind(3, info.min_timestamp)
        .bind(4, info.max_timestamp);
    (*row)->bind(5, info.records).bind(6, info.held).bind(7, static_cast<std::int64_t>(info.line_bytes));
    (*row)->bind(8, static_cast<std::int64_t>(info.body_bytes)).bind(9, static_cast<std::int64_t>(block.checksum));
    if (auto done = (*row)->bind_blob(10, block.streams).bind_blob(11, block.positions).run(); !done) return done;
  }
  if (info.records == 0) return {};
  auto body = database.query(body_sql);
  if (!body) return std::move(body).error();
  return (*body)->bind(1, static_cast<std::int64_t>(info.id)).bind_blob(2, block.body).run();
}

base::Result<void> run(sqlite::Database& database, std::string_view sql, std::uint64_t block) {
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).run();
}

base::Result<std::uint64_t> number(sqlite::Database& database, std::string_view sql) {
  auto value = database.integer(sql);
  if (!value) return std::move(value).error();
  return static_cast<std::uint64_t>(*value);
}

}  // namespace

bool BlockView::sound() const { return block_checksum(info, streams, positions, body) == checksum; }

BlockView sealed(const BlockInfo& info, std::string_view streams, std::string_view positions, std::string_view body) {
  return {info, block_checksum(info, streams, positions, body), streams, positions, body};
}

base::Result<void> for_each_block(sqlite::Database& database, const BlockRange& range,
                                  const std::function<void(const BlockInfo&)>& each) {
  auto rows = database.query(
      "SELECT id, stored, min_time, max_time, records, held, line_bytes, body_bytes FROM blocks "
      "WHERE id > ? AND records > 0 AND min_time < ? AND max_time >= ? AND (held < records OR ?) ORDER BY id LIMIT ?");
  if (!rows) return std::move(rows).error();
  (*rows)->bind(1, as_key(range.after)).bind(2, range.time.to).bind(3, range.time.from);
  (*rows)->bind(4, range.deliverable ? 0 : 1).bind(5, as_key(range.limit));
  return (*rows)->for_rows([&] { each(info_of(**rows)); });
}

base::Result<bool> read_block(sqlite::Database& database, std::uint64_t block, BlockRow& row) {
  auto statement = database.query(
      "SELECT id, stored, min_time, max_time, records, held, line_bytes, body_bytes, checksum, streams, positions, body FROM "
      "blocks "
      "LEFT JOIN bodies ON bodies.block = blocks.id WHERE id = ?");
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->bind(1, as_key(block)).step();
  if (!found || !*found) return found;
  const BlockView view = view_of(**statement);
  row.info = view.info;
  row.checksum = view.checksum;
  row.streams = view.streams;
  row.positions = view.positions;
  row.body = view.body;
  return true;
}

base::Result<bool> read_streams(sqlite::Database& database, std::uint64_t block, std::string& streams) {
  auto statement = database.query("SELECT streams FROM blocks WHERE id = ?");
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->bind(1, as_key(block)).step();
  if (!found || !*found) return found;
  streams = (*statement)->blob(0);
  return true;
}

base::Result<PlaceSet> read_released(sqlite::Database& database, std::uint64_t block) {
  auto statement = database.query("SELECT ordinals FROM released WHERE block = ?");
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->bind(1, as_key(block)).step();
  if (!found) return std::move(found).error();
  return *found ? PlaceSet::decode({block, 0}, (*statement)->blob(0)) : PlaceSet({block, 0});
}

base::Result<void> put_released(sqlite::Database& database, std::uint64_t block, const OrdinalSet& ordinals) {
  const std::string places = PlaceSet::encode_ordinals(ordinals);
  auto statement = database.query("INSERT OR REPLACE INTO released (block, ordinals) VALUES (?, ?)");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).bind_blob(2, places).run();
}

base::Result<std::map<std::uint64_t, std::uint64_t>> count_released_records(sqlite::Database& database) {
  auto rows = database.query("SELECT block, ordinals FROM released");
  if (!rows) return std::move(rows).error();
  std::map<std::uint64_t, std::uint64_t> counts;
  auto done = (*rows)->for_rows([&]() -> base::Result<void> {
    const auto block = static_cast<std::uint64_t>((*rows)->integer(0));
    auto places = PlaceSet::decode({block, 0}, (*rows)->blob(1));
    if (!places) return std::move(places).error();
    counts[block] = places->ordinals_of(block).count();
    return {};
  });
  if (!done) return std::move(done).error();
  return counts;
}

base::Result<bool> has_block(sqlite::Database& database, std::uint64_t block) {
  auto statement = database.query("SELECT 1 FROM blocks WHERE id = ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).step();
}

base::Result<bool> has_body(sqlite::Database& database, std::uint64_t block) {
  auto statement = database.query("SELECT 1 FROM bodies WHERE block = ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).step();
}

base::Result<void> for_each_delta(sqlite::Database& database, std::uint64_t after,
                                  const std::function<base::Result<void>(const BlockView&)>& each) {
  auto rows = database.prepare(
      "SELECT id, stored, min_time, max_time, records, held, line_bytes, body_bytes, checksum, streams, positions, body FROM "
      "blocks "
      "LEFT JOIN bodies ON bodies.block = blocks.id WHERE id > ? AND length(positions) > 0 ORDER BY id");
  if (!rows) return std::move(rows).error();
  rows->bind(1, static_cast<std::int64_t>(after));
  return rows->for_rows([&] { return each(view_of(*rows)); });
}

base::Result<std::uint64_t> oldest_block(sqlite::Database& database) {
  return number(database, "SELECT min(id) FROM blocks WHERE records > 0");
}

base::Result<std::uint64_t> newest_block(sqlite::Database& database) { return number(database, "SELECT max(id) FROM blocks"); }

base::Result<std::uint64_t> newest_row(sqlite::Database& database) {
  return number(database,
                "SELECT max(coalesce((SELECT max(id) FROM blocks), 0), coalesce((SELECT through_block FROM positions), 0))");
}

base::Result<std::int64_t> highest_number(sqlite::Database& database) {
  return database.integer(
      "SELECT max(coalesce((SELECT max(id) FROM blocks), 0), coalesce((SELECT through_block FROM positions), 0), "
      "coalesce((SELECT max(block) - 1 FROM consumers), 0), coalesce((SELECT value FROM meta WHERE name = 'reserved_block'), 0))");
}

base::Result<std::uint64_t> count_rows_after(sqlite::Database& database, std::uint64_t block) {
  return number(database, fmt::format("SELECT count(*) FROM blocks WHERE id > {}", block));
}

base::Result<std::uint64_t> count_records(sqlite::Database& database) {
  return number(database, "SELECT coalesce(sum(records), 0) FROM blocks");
}

base::Result<void> insert_block(sqlite::Database& database, const BlockView& block) {
  return put(
      database,
      "INSERT INTO blocks (id, stored, min_time, max_time, records, held, line_bytes, body_bytes, checksum, streams, positions) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      "INSERT INTO bodies (block, body) VALUES (?, ?)", block);
}

base::Result<void> restore_block(sqlite::Database& database, const BlockView& block) {
  return put(database,
             "INSERT OR IGNORE INTO blocks (id, stored, min_time, max_time, records, held, line_bytes, body_bytes, checksum, "
             "streams, positions) "
             "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             "INSERT OR IGNORE INTO bodies (block, body) VALUES (?, ?)", block);
}

base::Result<void> restore_released(sqlite::Database& database, std::uint64_t block, std::string_view places) {
  auto statement = database.query("INSERT OR IGNORE INTO released (block, ordinals) VALUES (?, ?)");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, static_cast<std::int64_t>(block)).bind_blob(2, places).run();
}

base::Result<void> delete_block(sqlite::Database& database, std::uint64_t block) {
  for (const char* sql : {"DELETE FROM bodies WHERE block = ?", "DELETE FROM blocks WHERE id = ?",
                          "DELETE FROM released WHERE block = ?", "DELETE FROM held_groups WHERE block = ?"}) {
    if (auto done = run(database, sql, block); !done) return done;
  }
  return {};
}

base::Result<void> delete_position_rows(sqlite::Database& database, std::uint64_t through) {
  return run(database, "DELETE FROM blocks WHERE records = 0 AND id <= ?", through);
}

std::optional<BlockRow> block_of(const RawRow& row) {
  using enum RawValue::Kind;
  if (!row.is_of({null, integer, integer, integer, integer, integer, integer, integer, integer, bytes, bytes})) return std::nullopt;
  BlockRow block;
  BlockInfo& info = block.info;
  info.id = static_cast<std::uint64_t>(row.rowid);
  info.stored = row.values[1].integer;
  info.min_timestamp = row.values[2].integer;
  info.max_timestamp = row.values[3].integer;
  info.records = static_cast<std::uint32_t>(row.values[4].integer);
  info.held = static_cast<std::uint32_t>(row.values[5].integer);
  info.line_bytes = static_cast<std::uint64_t>(row.values[6].integer);
  info.body_bytes = static_cast<std::uint64_t>(row.values[7].integer);
  block.checksum = static_cast<std::uint64_t>(row.values[8].integer);
  block.streams = row.values[9].bytes;
  block.positions = row.values[10].bytes;
  return block;
}

std::optional<RawBlob> blob_of(const RawRow& row) {
  using enum RawValue::Kind;
  if (!row.is_of({null, bytes})) return std::nullopt;
  return RawBlob{static_cast<std::uint64_t>(row.rowid), row.values[1].bytes};
}

}  // namespace weir::spool
