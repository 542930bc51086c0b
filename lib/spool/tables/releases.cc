#include "spool/tables/releases.h"

#include "spool/tables/schema.h"

namespace weir::spool {
namespace {

using base::Result;

constexpr std::string_view kStates[] = {"selecting", "open", "cancelled"};

std::string_view name_of(ReleaseState state) { return kStates[static_cast<std::size_t>(state)]; }

// A word that this release does not know stands for something that it must not copy.
ReleaseState state_of(std::string_view name) {
  return name == "open" ? ReleaseState::open : name == "selecting" ? ReleaseState::selecting : ReleaseState::cancelled;
}

std::uint64_t number(const sqlite::Statement& from, int column) { return static_cast<std::uint64_t>(from.integer(column)); }

// Of a statement that selects: id, created, query, from_time, to_time, state, matched, released, left_out, pending.
ReleaseRow row_of(const sqlite::Statement& from) {
  ReleaseRow row;
  row.id = from.text(0);
  row.created = from.integer(1);
  row.query = from.text(2);
  row.from = from.integer(3);
  row.to = from.integer(4);
  row.state = state_of(from.text(5));
  row.matched = number(from, 6);
  row.released = number(from, 7);
  row.left_out = number(from, 8);
  row.pending = number(from, 9);
  return row;
}

Result<void> run(sqlite::Database& database, std::string_view sql, std::string_view id) {
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  return (*statement)->bind_text(1, id).run();
}

Result<void> add(sqlite::Database& database, std::string_view sql, std::string_view id, std::uint64_t one, std::uint64_t other) {
  auto statement = database.query(sql);
  if (!statement) return std::move(statement).error();
  return (*statement)->bind_text(1, id).bind(2, as_key(one)).bind(3, as_key(other)).run();
}

}  // namespace

Result<bool> has_releases(sqlite::Database& database) {
  auto statement = database.query("SELECT 1 FROM sqlite_schema WHERE name = 'release_blocks'");
  if (!statement) return std::move(statement).error();
  return (*statement)->step();
}

Result<std::optional<ReleaseRow>> read_release(sqlite::Database& database, std::string_view id) {
  auto statement = database.query(
      "SELECT id, created, query, from_time, to_time, state, matched, released, left_out, "
      "(SELECT coalesce(sum(records), 0) FROM release_requests WHERE release = id) FROM releases WHERE id = ?");
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->bind_text(1, id).step();
  if (!found) return std::move(found).error();
  return *found ? std::optional(row_of(**statement)) : std::nullopt;
}

Result<std::vector<ReleaseRow>> read_releases(sqlite::Database& database) {
  auto statement = database.query(
      "SELECT id, created, query, from_time, to_time, state, matched, released, left_out, "
      "(SELECT coalesce(sum(records), 0) FROM release_requests WHERE release = id) FROM releases ORDER BY created, id");
  if (!statement) return std::move(statement).error();
  std::vector<ReleaseRow> rows;
  auto done = (*statement)->for_rows([&] { rows.push_back(row_of(**statement)); });
  if (!done) return std::move(done).error();
  return rows;
}

Result<void> put_release(sqlite::Database& database, const ReleaseRow& release) {
  auto statement = database.query(
      "INSERT OR REPLACE INTO releases (id, created, query, from_time, to_time, state, matched, released, left_out) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!statement) return std::move(statement).error();
  (*statement)->bind_text(1, release.id).bind(2, release.created).bind_text(3, release.query);
  (*statement)->bind(4, release.from).bind(5, release.to).bind_text(6, name_of(release.state));
  (*statement)->bind(7, as_key(release.matched)).bind(8, as_key(release.released)).bind(9, as_key(release.left_out));
  return (*statement)->run();
}

Result<void> set_release_state(sqlite::Database& database, std::string_view id, ReleaseState state) {
  auto statement = database.query("UPDATE releases SET state = ?2 WHERE id = ?1");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind_text(1, id).bind_text(2, name_of(state)).run();
}

Result<void> count_released(sqlite::Database& database, std::string_view id, std::uint64_t released, std::uint64_t left_out) {
  return add(database, "UPDATE releases SET released = released + ?2, left_out = left_out + ?3 WHERE id = ?1", id, released,
             left_out);
}

Result<void> delete_release(sqlite::Database& database, std::string_view id) {
  for (const char* sql : {"DELETE FROM release_requests WHERE release = ?", "DELETE FROM release_blocks WHERE release = ?",
                          "DELETE FROM releases WHERE id = ?"}) {
    if (auto done = run(database, sql, id); !done) return done;
  }
  return {};
}

Result<void> delete_old_releases(sqlite::Database& database, base::Timestamp time) {
  std::vector<std::string> old;
  {
    auto rows = database.query(
        "SELECT id FROM releases WHERE created < ? AND NOT EXISTS (SELECT 1 FROM release_requests WHERE release = id) "
        "AND NOT EXISTS (SELECT 1 FROM release_blocks WHERE release = id AND gone = 0)");
    if (!rows) return std::move(rows).error();
    (*rows)->bind(1, time);
    auto done = (*rows)->for_rows([&] { old.emplace_back((*rows)->text(0)); });
    if (!done) return done;
  }
  for (const std::string& id : old) {
    if (auto done = delete_release(database, id); !done) return done;
  }
  return {};
}

Result<void> add_release_request(sqlite::Database& database, const ReleaseRequestRow& request) {
  const std::string ordinals = request.ordinals.encode();
  auto statement =
      database.query("INSERT OR REPLACE INTO release_requests (release, block, records, ordinals) VALUES (?, ?, ?, ?)");
  if (!statement) return std::move(statement).error();
  (*statement)->bind_text(1, request.release).bind(2, as_key(request.block)).bind(3, as_key(request.records));
  return (*statement)->bind_blob(4, ordinals).run();
}

Result<std::optional<ReleaseRequestRow>> next_release_request(sqlite::Database& database) {
  auto statement = database.query(
      "SELECT release, release_requests.block, records, ordinals FROM release_requests JOIN releases ON id = release WHERE state = "
      "'open' "
      "AND NOT EXISTS (SELECT 1 FROM held_groups WHERE held_groups.block = release_requests.block) "
      "ORDER BY created, release, release_requests.block LIMIT 1");
  if (!statement) return std::move(statement).error();
  auto found = (*statement)->step();
  if (!found) return std::move(found).error();
  if (!*found) return std::optional<ReleaseRequestRow>();
  auto ordinals = OrdinalSet::decode((*statement)->blob(3));
  if (!ordinals) return std::move(ordinals).error();
  return std::optional(ReleaseRequestRow{.release = std::string((*statement)->text(0)),
                                         .block = number(**statement, 1),
                                         .records = number(**statement, 2),
                                         .ordinals = std::move(*ordinals)});
}

Result<void> delete_release_request(sqlite::Database& database, std::string_view release, std::uint64_t block) {
  auto statement = database.query("DELETE FROM release_requests WHERE release = ? AND block = ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind_text(1, release).bind(2, as_key(block)).run();
}

Result<std::uint64_t> delete_release_requests(sqlite::Database& database, std::string_view release) {
  std::uint64_t records = 0;
  {
    auto sum = database.query("SELECT coalesce(sum(records), 0) FROM release_requests WHERE release = ?");
    if (!sum) return std::move(sum).error();
    if (auto row = (*sum)->bind_text(1, release).step(); !row) return std::move(row).error();
    records = number(**sum, 0);
  }
  if (auto done = run(database, "DELETE FROM release_requests WHERE release = ?", release); !done) return std::move(done).error();
  return records;
}

Result<std::vector<std::uint64_t>> blocks_to_release(sqlite::Database& database) {
  auto statement = database.query("SELECT DISTINCT block FROM release_requests ORDER BY block");
  if (!statement) return std::move(statement).error();
  std::vector<std::uint64_t> blocks;
  auto done = (*statement)->for_rows([&] { blocks.push_back(number(**statement, 0)); });
  if (!done) return std::move(done).error();
  return blocks;
}

Result<void> add_release_block(sqlite::Database& database, const ReleaseBlockRow& block) {
  auto statement = database.query(
      "INSERT OR REPLACE INTO release_blocks (block, release, records, gone, refused, lost) VALUES (?, ?, ?, ?, ?, ?)");
  if (!statement) return std::move(statement).error();
  (*statement)->bind(1, as_key(block.block)).bind_text(2, block.release).bind(3, as_key(block.records)).bind(4, block.gone ? 1 : 0);
  return (*statement)->bind(5, as_key(block.refused)).bind(6, as_key(block.lost)).run();
}

Result<bool> is_release_block(sqlite::Database& database, std::uint64_t block) {
  auto statement = database.query("SELECT 1 FROM release_blocks WHERE block = ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).step();
}

Result<void> release_block_goes(sqlite::Database& database, std::uint64_t block, std::uint64_t refused, bool undelivered) {
  auto statement = database.query(
      "UPDATE release_blocks SET gone = 1, refused = ?2, lost = CASE WHEN ?3 THEN records - min(records, ?2) ELSE 0 END "
      "WHERE block = ?1");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, as_key(block)).bind(2, as_key(refused)).bind(3, undelivered ? 1 : 0).run();
}

Result<std::vector<ReleaseBlockRow>> read_release_blocks(sqlite::Database& database) {
  auto statement = database.query("SELECT block, release, records, gone, refused, lost FROM release_blocks ORDER BY block");
  if (!statement) return std::move(statement).error();
  std::vector<ReleaseBlockRow> blocks;
  auto done = (*statement)->for_rows([&] {
    blocks.push_back({.block = number(**statement, 0),
                      .release = std::string((*statement)->text(1)),
                      .records = number(**statement, 2),
                      .gone = (*statement)->integer(3) != 0,
                      .refused = number(**statement, 4),
                      .lost = number(**statement, 5)});
  });
  if (!done) return std::move(done).error();
  return blocks;
}

}  // namespace weir::spool
