#include "spool/tables/positions.h"

#include "spool/block_checksum.h"
#include "spool/tables/meta.h"

namespace weir::spool {

bool SnapshotRow::sound() const { return !checksum || *checksum == snapshot_checksum(through_block, body); }

base::Result<std::optional<SnapshotRow>> read_snapshot(sqlite::Database& database) {
  auto statement =
      database.prepare("SELECT through_block, body, (SELECT value FROM meta WHERE name = 'positions_checksum') FROM positions");
  if (!statement) return std::move(statement).error();
  auto row = statement->step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<SnapshotRow>();
  SnapshotRow snapshot{static_cast<std::uint64_t>(statement->integer(0)), std::string(statement->blob(1)), std::nullopt};
  if (!statement->is_null(2)) snapshot.checksum = static_cast<std::uint64_t>(statement->integer(2));
  return std::optional(std::move(snapshot));
}

base::Result<std::uint64_t> read_through_block(sqlite::Database& database) {
  auto through = database.integer("SELECT through_block FROM positions");
  if (!through) return std::move(through).error();
  return static_cast<std::uint64_t>(*through);
}

base::Result<void> write_snapshot(sqlite::Database& database, std::uint64_t through_block, std::string_view body) {
  auto statement =
      database.query("INSERT INTO positions VALUES (1, ?1, ?2) ON CONFLICT (one) DO UPDATE SET through_block = ?1, body = ?2");
  if (!statement) return std::move(statement).error();
  if (auto done = (*statement)->bind(1, static_cast<std::int64_t>(through_block)).bind_blob(2, body).run(); !done) return done;
  return set_meta(database, Meta::positions_checksum, static_cast<std::int64_t>(snapshot_checksum(through_block, body)));
}

std::optional<SnapshotRow> snapshot_of(const RawRow& row) {
  using enum RawValue::Kind;
  if (!row.is_of({null, integer, bytes})) return std::nullopt;
  return SnapshotRow{static_cast<std::uint64_t>(row.values[1].integer), std::string(row.values[2].bytes), std::nullopt};
}

}  // namespace weir::spool
