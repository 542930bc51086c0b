#include "spool/tables/rejected.h"

#include "spool/tables/schema.h"

namespace weir::spool {
namespace {

using base::Result;

// Whether a row is late, with ? for the time: the steps of the clock since it was stored count as time.
constexpr std::string_view kLate =
    "time + max(0, (SELECT coalesce(sum(value), 0) FROM meta WHERE name GLOB 'clock_step.[0-9]*' AND CAST(substr(name, 12) AS "
    "INTEGER) >= rejected.block)) < ?";

// In the order of range_of_row().
constexpr std::string_view kRangeColumns = "block, time, status, consumer, tenant, kind, reason, url, ordinals";

Result<RangeRow> range_of_row(const sqlite::Statement& from) {
  auto ordinals = OrdinalSet::decode(from.blob(8));
  if (!ordinals) return std::move(ordinals).error();
  return RangeRow{static_cast<std::uint64_t>(from.integer(0)),
                  from.integer(1),
                  static_cast<int>(from.integer(2)),
                  std::string(from.text(3)),
                  std::string(from.text(4)),
                  std::string(from.text(5)),
                  std::string(from.text(6)),
                  std::string(from.text(7)),
                  std::move(*ordinals)};
}

Result<std::vector<RangeRow>> ranges_by(sqlite::Database& database, std::string_view sql, std::uint64_t block) {
  auto rows = database.query(sql);
  if (!rows) return std::move(rows).error();
  (*rows)->bind(1, as_key(block));
  std::vector<RangeRow> ranges;
  auto done = (*rows)->for_rows([&]() -> Result<void> {
    auto range = range_of_row(**rows);
    if (!range) return std::move(range).error();
    ranges.push_back(std::move(*range));
    return {};
  });
  if (!done) return std::move(done).error();
  return ranges;
}

Result<std::uint64_t> number(sqlite::Database& database, std::string_view sql) {
  auto value = database.integer(sql);
  if (!value) return std::move(value).error();
  return static_cast<std::uint64_t>(*value);
}

// The key of a row: block, consumer, tenant, kind.
void bind_key(sqlite::Statement& statement, const RangeRow& key) {
  statement.bind(1, as_key(key.block)).bind_text(2, key.consumer).bind_text(3, key.tenant).bind_text(4, key.kind);
}

// All but the number.
void bind_row(sqlite::Statement& statement, const RejectedRow& row) {
  statement.bind(1, row.time)
      .bind_text(2, row.consumer)
      .bind(3, as_key(row.place.block))
      .bind(4, row.place.ordinal)
      .bind(5, row.status);
  statement.bind_text(6, row.reason).bind_text(7, row.url).bind_text(8, row.tenant).bind_text(9, row.record);
}

Result<void> put_range(sqlite::Database& database, std::string_view sql, const RangeRow& row) {
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  const std::string ordinals = row.ordinals.encode();
  bind_key(**statement, row);
  (*statement)->bind(5, row.status).bind(6, row.time).bind_text(7, row.reason).bind_text(8, row.url);
  return (*statement)->bind(9, static_cast<std::int64_t>(row.ordinals.count())).bind_blob(10, ordinals).run();
}

}  // namespace

Result<bool> has_ranges(sqlite::Database& database) {
  auto tables = database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'rejected_ranges'");
  if (!tables) return std::move(tables).error();
  return *tables > 0;
}

Result<void> for_each_rejected(sqlite::Database& database, std::uint64_t after, std::size_t limit,
                               const std::function<void(const RejectedRow&)>& each) {
  auto rows = database.query(
      "SELECT id, time, status, consumer, tenant, reason, url, record, block, ordinal FROM rejected WHERE id > ? ORDER BY id LIMIT "
      "?");
  if (!rows) return std::move(rows).error();
  sqlite::Statement& row = **rows;
  row.bind(1, as_key(after)).bind(2, as_key(limit));
  return row.for_rows([&] {
    each({static_cast<std::uint64_t>(row.integer(0)),
          row.integer(1),
          static_cast<int>(row.integer(2)),
          row.text(3),
          row.text(4),
          row.text(5),
          row.text(6),
          row.text(7),
          {static_cast<std::uint64_t>(row.integer(8)), static_cast<std::uint32_t>(row.integer(9))}});
  });
}

Result<void> rejected_ordinals(sqlite::Database& database, std::uint64_t block, std::vector<std::uint32_t>& ordinals) {
  ordinals.clear();
  auto rows = database.query("SELECT ordinal FROM rejected WHERE block = ? ORDER BY ordinal");
  if (!rows) return std::move(rows).error();
  (*rows)->bind(1, as_key(block));
  return (*rows)->for_rows([&] { ordinals.push_back(static_cast<std::uint32_t>((*rows)->integer(0))); });
}

Result<std::optional<std::string>> rejected_record(sqlite::Database& database, std::uint64_t number) {
  auto statement = database.query("SELECT record FROM rejected WHERE id = ?");
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->bind(1, as_key(number)).step();
  if (!found) return std::move(found).error();
  return *found ? std::optional(std::string((*statement)->text(0))) : std::nullopt;
}

Result<std::uint64_t> count_rejected(sqlite::Database& database) { return number(database, "SELECT count(*) FROM rejected"); }

Result<std::uint64_t> count_rejected_in_blocks(sqlite::Database& database) {
  return number(database, "SELECT count(*) FROM rejected JOIN blocks ON rejected.block = blocks.id");
}

Result<void> insert_rejected(sqlite::Database& database, const RejectedRow& row) {
  auto statement = database.query(
      "INSERT INTO rejected (time, consumer, block, ordinal, status, reason, url, tenant, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
      "?)");
  if (!statement) return std::move(statement).error();
  bind_row(**statement, row);
  return (*statement)->run();
}

Result<void> update_rejected(sqlite::Database& database, const RejectedRow& row) {
  auto statement =
      database.query("UPDATE rejected SET time = ?, status = ?, reason = ?, url = ?, tenant = ?, record = ? WHERE id = ?");
  if (!statement) return std::move(statement).error();
  (*statement)->bind(1, row.time).bind(2, row.status).bind_text(3, row.reason).bind_text(4, row.url).bind_text(5, row.tenant);
  return (*statement)->bind_text(6, row.record).bind(7, as_key(row.number)).run();
}

Result<void> delete_rejected(sqlite::Database& database, std::uint64_t number) {
  auto statement = database.query("DELETE FROM rejected WHERE id = ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(number)).run();
}

Result<std::uint64_t> delete_oldest_rejected(sqlite::Database& database, int rows) {
  auto statement = database.query("DELETE FROM rejected WHERE id IN (SELECT id FROM rejected ORDER BY id LIMIT ?)");
  if (!statement) return std::move(statement).error();
  if (auto done = (*statement)->bind(1, rows).run(); !done) return std::move(done).error();
  return static_cast<std::uint64_t>(database.changes());
}

Result<std::uint64_t> delete_late_rejected(sqlite::Database& database, base::Timestamp before) {
  auto statement = database.prepare(fmt::format("DELETE FROM rejected WHERE {}", kLate));
  if (!statement) return std::move(statement).error();
  if (auto done = statement->bind(1, before).run(); !done) return std::move(done).error();
  return static_cast<std::uint64_t>(database.changes());
}

Result<bool> has_late_rejected(sqlite::Database& database, base::Timestamp before) {
  static const std::string sql = fmt::format("SELECT {} FROM rejected ORDER BY id LIMIT 1", kLate);
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->bind(1, before).step();
  if (!found || !*found) return found;
  return (*statement)->integer(0) != 0;
}

Result<void> restore_rejected(sqlite::Database& database, const RejectedRow& row) {
  auto statement = database.query(
      "INSERT OR IGNORE INTO rejected (time, consumer, block, ordinal, status, reason, url, tenant, record, id) VALUES (?, ?, ?, "
      "?, ?, ?, ?, ?, ?, ?)");
  if (!statement) return std::move(statement).error();
  bind_row(**statement, row);
  return (*statement)->bind(10, static_cast<std::int64_t>(row.number)).run();
}

Result<OrdinalSet> ordinals_in_ranges(sqlite::Database& database, std::uint64_t block) {
  auto rows = database.query("SELECT ordinals FROM rejected_ranges WHERE block = ?");
  if (!rows) return std::move(rows).error();
  (*rows)->bind(1, as_key(block));
  OrdinalSet all;
  auto done = (*rows)->for_rows([&] {
    if (auto some = OrdinalSet::decode((*rows)->blob(0))) all.add_all(*some);
  });
  if (!done) return std::move(done).error();
  return all;
}

Result<std::vector<RangeRow>> ranges_of(sqlite::Database& database, std::uint64_t block) {
  static const std::string sql = fmt::format("SELECT {} FROM rejected_ranges WHERE block = ?", kRangeColumns);
  return ranges_by(database, sql, block);
}

Result<std::vector<RangeRow>> next_ranges(sqlite::Database& database, std::uint64_t after) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM rejected_ranges WHERE block = "
      "(SELECT min(r.block) FROM rejected_ranges r JOIN blocks ON blocks.id = r.block WHERE r.block > ?)",
      kRangeColumns);
  return ranges_by(database, sql, after);
}

Result<std::optional<RangeRow>> find_range(sqlite::Database& database, const RangeRow& key) {
  static const std::string sql =
      fmt::format("SELECT {} FROM rejected_ranges WHERE block = ? AND consumer = ? AND tenant = ? AND kind = ?", kRangeColumns);
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  bind_key(**statement, key);
  auto found = (*statement)->step();
  if (!found) return std::move(found).error();
  if (!*found) return std::optional<RangeRow>();
  auto range = range_of_row(**statement);
  if (!range) return std::move(range).error();
  return std::optional(std::move(*range));
}

Result<std::uint64_t> count_records_in_ranges(sqlite::Database& database) {
  return number(database,
                "SELECT sum(rejected_ranges.records) FROM rejected_ranges JOIN blocks ON rejected_ranges.block = blocks.id");
}

Result<bool> has_ranges_before(sqlite::Database& database, std::uint64_t block) {
  auto statement = database.query("SELECT 1 FROM rejected_ranges WHERE block < ? LIMIT 1");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).step();
}

Result<void> store_range(sqlite::Database& database, const RangeRow& row) {
  return put_range(
      database,
      "INSERT INTO rejected_ranges (block, consumer, tenant, kind, status, time, reason, url, records, ordinals) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (block, consumer, tenant, kind) DO UPDATE SET records = excluded.records, ordinals = excluded.ordinals",
      row);
}

Result<void> restore_range(sqlite::Database& database, const RangeRow& row) {
  return put_range(
      database,
      "INSERT OR IGNORE INTO rejected_ranges (block, consumer, tenant, kind, status, time, reason, url, records, ordinals) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      row);
}

Result<void> delete_range(sqlite::Database& database, const RangeRow& key) {
  auto statement = database.query("DELETE FROM rejected_ranges WHERE block = ? AND consumer = ? AND tenant = ? AND kind = ?");
  if (!statement) return std::move(statement).error();
  bind_key(**statement, key);
  return (*statement)->run();
}

Result<std::uint64_t> delete_ranges_of(sqlite::Database& database, std::uint64_t block) {
  std::uint64_t records = 0;
  {
    auto count = database.query("SELECT sum(records) FROM rejected_ranges WHERE block = ?");
    if (!count) return std::move(count).error();
    auto row = (*count)->bind(1, as_key(block)).step();
    if (!row) return std::move(row).error();
    records = static_cast<std::uint64_t>((*count)->integer(0));
  }
  auto statement = database.query("DELETE FROM rejected_ranges WHERE block = ?");
  if (!statement) return std::move(statement).error();
  if (auto done = (*statement)->bind(1, as_key(block)).run(); !done) return std::move(done).error();
  return records;
}

Result<void> delete_ranges_before(sqlite::Database& database, std::uint64_t block) {
  auto statement = database.query("DELETE FROM rejected_ranges WHERE block < ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).run();
}

std::optional<RejectedRow> rejected_of(const RawRow& row) {
  using enum RawValue::Kind;
  if (!row.is_of({null, integer, bytes, integer, integer, integer, bytes, bytes, bytes, bytes})) return std::nullopt;
  const auto& v = row.values;
  return RejectedRow{.number = static_cast<std::uint64_t>(row.rowid),
                     .time = v[1].integer,
                     .status = static_cast<int>(v[5].integer),
                     .consumer = v[2].bytes,
                     .tenant = v[8].bytes,
                     .reason = v[6].bytes,
                     .url = v[7].bytes,
                     .record = v[9].bytes,
                     .place = {static_cast<std::uint64_t>(v[3].integer), static_cast<std::uint32_t>(v[4].integer)}};
}

std::optional<RangeRow> range_of(const RawRow& row) {
  using enum RawValue::Kind;
  if (!row.is_of({integer, bytes, bytes, bytes, integer, integer, bytes, bytes, integer, bytes})) return std::nullopt;
  const auto& v = row.values;
  auto ordinals = OrdinalSet::decode(v[9].bytes);
  if (!ordinals) return std::nullopt;
  return RangeRow{.block = static_cast<std::uint64_t>(v[0].integer),
                  .time = v[5].integer,
                  .status = static_cast<int>(v[4].integer),
                  .consumer = std::string(v[1].bytes),
                  .tenant = std::string(v[2].bytes),
                  .kind = std::string(v[3].bytes),
                  .reason = std::string(v[6].bytes),
                  .url = std::string(v[7].bytes),
                  .ordinals = std::move(*ordinals)};
}

}  // namespace weir::spool
