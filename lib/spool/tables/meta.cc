#include "spool/tables/meta.h"

namespace weir::spool {

std::string_view name_of(Meta key) {
  switch (key) {
    case Meta::spool:
      return "spool";
    case Meta::created:
      return "created";
    case Meta::reserved_block:
      return "reserved_block";
    case Meta::rejected_max:
      return "rejected_max";
    case Meta::rejected_bytes:
      return "rejected_bytes";
    case Meta::evicted_undelivered:
      return "evicted_undelivered";
    case Meta::evicted_rejected:
      return "evicted_rejected";
    case Meta::damaged_blocks:
      return "damaged_blocks";
    case Meta::damaged_records:
      return "damaged_records";
    case Meta::clock_boot:
      return "clock_boot";
    case Meta::clock_offset:
      return "clock_offset";
    case Meta::positions_checksum:
      return "positions_checksum";
    case Meta::max_size:
      return "max_size";
    case Meta::min_free:
      return "min_free";
    case Meta::drops_oldest:
      return "drops_oldest";
    case Meta::evicted_last:
      return "evicted_last";
    case Meta::evicted_held:
      return "evicted_held";
    case Meta::gaps:
      return "gaps";
    case Meta::gap_bytes:
      return "gap_bytes";
    case Meta::gaps_unknown:
      return "gaps_unknown";
    case Meta::first_gap:
      return "first_gap";
    case Meta::last_gap:
      return "last_gap";
    case Meta::held_shed:
      return "held_shed";
    case Meta::max_behind:
      return "max_behind";
  }
  return {};
}

namespace {

base::Result<void> put(sqlite::Database& database, std::string_view sql, std::string_view name, std::int64_t value) {
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  (*statement)->bind_text(1, name).bind(2, value);
  return (*statement)->run();
}

}  // namespace

base::Result<std::int64_t> read_meta(sqlite::Database& database, Meta key) {
  auto statement = database.query("SELECT value FROM meta WHERE name = ?");
  if (!statement) return std::move(statement).error();
  auto row = (*statement)->bind_text(1, name_of(key)).step();
  if (!row) return std::move(row).error();
  return *row ? (*statement)->integer(0) : 0;
}

base::Result<void> set_meta(sqlite::Database& database, Meta key, std::int64_t value) {
  return restore_meta(database, name_of(key), value);
}

base::Result<void> add_to_meta(sqlite::Database& database, Meta key, std::uint64_t more) {
  return put(database, "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2", name_of(key),
             static_cast<std::int64_t>(more));
}

base::Result<void> raise_meta(sqlite::Database& database, Meta key, std::uint64_t value) {
  return put(database, "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = max(value, ?2)", name_of(key),
             static_cast<std::int64_t>(value));
}

base::Result<void> restore_meta(sqlite::Database& database, std::string_view name, std::int64_t value) {
  return put(database, "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2", name, value);
}

// A step's name is `clock_step.BLOCK`.
base::Result<std::vector<StoredStep>> read_clock_steps(sqlite::Database& database) {
  auto rows = database.prepare("SELECT CAST(substr(name, 12) AS INTEGER), value FROM meta WHERE name GLOB 'clock_step.[0-9]*'");
  if (!rows) return std::move(rows).error();
  std::vector<StoredStep> steps;
  auto done = rows->for_rows([&] { steps.push_back({static_cast<std::uint64_t>(rows->integer(0)), rows->integer(1)}); });
  if (!done) return std::move(done).error();
  return steps;
}

base::Result<void> add_clock_step(sqlite::Database& database, const StoredStep& step) {
  return put(database, "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2",
             fmt::format("clock_step.{}", step.through), step.by);
}

base::Result<void> delete_clock_steps(sqlite::Database& database) {
  auto statement = database.query(
      "DELETE FROM meta WHERE name GLOB 'clock_step.[0-9]*' AND CAST(substr(name, 12) AS INTEGER) < "
      "min((SELECT coalesce(min(id), 0) FROM blocks), (SELECT coalesce(min(block), 9e18) FROM rejected WHERE block > 0))");
  if (!statement) return std::move(statement).error();
  return (*statement)->run();
}

}  // namespace weir::spool
