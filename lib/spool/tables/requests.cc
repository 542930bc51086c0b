#include "spool/tables/requests.h"

#include <cstdlib>
#include <string>

namespace weir::spool {

base::Result<std::int64_t> request_compaction(sqlite::Database& database, base::Timestamp now) {
  auto ask = database.prepare("INSERT INTO requests (time, kind, body) VALUES (?, 'compact', x'')");
  if (!ask) return std::move(ask).error();
  if (auto asked = ask->bind(1, now).run(); !asked) return std::move(asked).error();
  return database.integer("SELECT last_insert_rowid()");
}

base::Result<void> request_set_aside(sqlite::Database& database, base::Timestamp now, std::uint64_t block) {
  auto ask = database.prepare(
      "INSERT INTO requests (time, kind, body) SELECT ?1, 'damaged', ?2 WHERE NOT EXISTS "
      "(SELECT 1 FROM requests WHERE kind = 'damaged' AND body = ?2)");
  if (!ask) return std::move(ask).error();
  const std::string number = fmt::format("{}", block);
  return ask->bind(1, now).bind_blob(2, number).run();
}

base::Result<std::optional<RequestRow>> oldest_request(sqlite::Database& database) {
  auto statement = database.query("SELECT id, kind, body FROM requests WHERE kind IN ('compact', 'damaged') ORDER BY id LIMIT 1");
  if (!statement) return std::move(statement).error();
  auto row = (*statement)->step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<RequestRow>();
  RequestRow request{.id = (*statement)->integer(0)};
  if ((*statement)->text(1) == "damaged") {
    request.kind = RequestRow::Kind::damaged;
    request.block = std::strtoull(std::string((*statement)->blob(2)).c_str(), nullptr, 10);
  }
  return std::optional(request);
}

base::Result<bool> has_request(sqlite::Database& database, std::int64_t id) {
  auto statement = database.query("SELECT 1 FROM requests WHERE id = ?");
  if (!statement) return std::move(statement).error();
  return (*statement)->bind(1, id).step();
}

base::Result<void> delete_request(sqlite::Database& database, std::int64_t id) {
  auto statement = database.prepare("DELETE FROM requests WHERE id = ?");
  if (!statement) return std::move(statement).error();
  return statement->bind(1, id).run();
}

}  // namespace weir::spool
