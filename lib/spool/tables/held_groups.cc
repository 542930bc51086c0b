#include "spool/tables/held_groups.h"

#include "spool/tables/schema.h"

namespace weir::spool {

base::Result<std::vector<HeldGroup>> read_held_groups(sqlite::Database& database) {
  std::vector<HeldGroup> ties;
  auto rows = database.query("SELECT block, \"group\" FROM held_groups ORDER BY block");
  if (!rows) return std::move(rows).error();
  auto done = (*rows)->for_rows([&] {
    ties.push_back({static_cast<std::uint64_t>((*rows)->integer(0)), static_cast<std::uint64_t>((*rows)->integer(1))});
  });
  if (!done) return std::move(done).error();
  return ties;
}

base::Result<void> insert_held_group(sqlite::Database& database, const HeldGroup& tie) {
  auto statement = database.query("INSERT INTO held_groups (block, \"group\") VALUES (?, ?)");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(tie.block)).bind(2, as_key(tie.group)).run();
}

base::Result<void> delete_held_groups(sqlite::Database& database, std::uint64_t through) {
  auto statement = database.query("DELETE FROM held_groups WHERE \"group\" <= ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(through)).run();
}

base::Result<bool> has_positions_from(sqlite::Database& database, std::uint64_t group) {
  auto statement = database.query(
      "SELECT 1 FROM blocks WHERE id >= ?1 AND length(positions) > 0 UNION ALL SELECT 1 FROM positions WHERE through_block >= ?1 "
      "LIMIT 1");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(group)).step();
}

}  // namespace weir::spool
