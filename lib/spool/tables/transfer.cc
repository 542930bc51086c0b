#include "spool/tables/transfer.h"

#include "spool/tables/schema.h"

#include <algorithm>
#include <vector>

namespace weir::spool {
namespace {

using base::Result;

// Not taken over as they are. What processes asked the writer of the spool for is no business of a copy.
// A copy's snapshot of positions is above all groups, so nothing in it waits for its group (held_groups).
constexpr std::string_view kOwnWay[] = {"bodies",   "blocks",           "positions", "consumers",
                                        "requests", "release_requests", "meta",      "held_groups"};

// Every row that `query` gives, into `table` (with `verb`: INSERT, INSERT OR REPLACE). Their number.
Result<std::uint64_t> copy_rows(sqlite::Database& to, std::string_view verb, std::string_view table, sqlite::Statement& query) {
  std::string marks = "?";
  for (int i = 1; i < query.columns(); ++i) marks += ", ?";
  auto insert = to.prepare(fmt::format("{} INTO {} VALUES ({})", verb, table, marks));
  if (!insert) return std::move(insert).error();
  std::uint64_t rows = 0;
  auto done = query.for_rows([&] {
    for (int i = 0; i < query.columns(); ++i) insert->bind_value(i + 1, query, i);
    ++rows;
    return insert->run();
  });
  if (!done) return std::move(done).error();
  return rows;
}

Result<void> copy_all(sqlite::Database& from, sqlite::Database& to, std::string_view verb, std::string_view table,
                      std::string_view where) {
  auto query = from.prepare(fmt::format("SELECT * FROM {}{}", table, where));
  if (!query) return std::move(query).error();
  auto copied = copy_rows(to, verb, table, *query);
  return copied ? Result<void>() : Result<void>(std::move(copied).error());
}

}  // namespace

Result<void> copy_small_tables(sqlite::Database& from, sqlite::Database& to) {
  if (auto done = copy_all(from, to, "INSERT OR REPLACE", "meta", " WHERE name <> 'positions_checksum'"); !done) return done;
  if (auto done = copy_all(from, to, "INSERT", "consumers", ""); !done) return done;
  auto names = to.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  if (!names) return std::move(names).error();
  return names->for_rows([&]() -> Result<void> {
    const std::string table(names->text(0));
    if (std::ranges::find(kOwnWay, table) != std::end(kOwnWay)) return {};
    // A file that only older releases have written lacks what was added since.
    auto known = from.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
    if (!known) return std::move(known).error();
    auto there = known->bind_text(1, table).step();
    if (!there || !*there) return there ? Result<void>() : Result<void>(std::move(there).error());
    return copy_all(from, to, "INSERT", table, "");
  });
}

Result<bool> copy_block(sqlite::Database& from, sqlite::Database& to, std::uint64_t block) {
  constexpr std::pair<const char*, const char*> kTables[] = {{"blocks", "id"}, {"bodies", "block"}};
  for (const auto& [table, key] : kTables) {
    auto remove = to.prepare(fmt::format("DELETE FROM {} WHERE {} = ?", table, key));
    if (!remove) return std::move(remove).error();
    if (auto done = remove->bind(1, as_key(block)).run(); !done) return std::move(done).error();
  }
  auto reading = sqlite::Transaction::begin(from, sqlite::Transaction::Kind::read);
  if (!reading) return std::move(reading).error();
  std::uint64_t rows = 0;
  for (const auto& [table, key] : kTables) {
    auto query = from.prepare(fmt::format("SELECT * FROM {} WHERE {} = ?", table, key));
    if (!query) return std::move(query).error();
    query->bind(1, as_key(block));
    auto copied = copy_rows(to, "INSERT", table, *query);
    if (!copied) return copied.error();
    rows += *copied;
  }
  return rows > 0;
}

Result<void> save_block_rows(sqlite::Database& from, std::uint64_t block, const std::string& path) {
  {
    auto attach = from.prepare("ATTACH ? AS aside");
    if (!attach) return std::move(attach).error();
    if (auto done = attach->bind_text(1, path).run(); !done) return done;
  }
  auto done = from.execute(fmt::format("CREATE TABLE aside.blocks AS SELECT * FROM main.blocks WHERE id = {0};"
                                       "CREATE TABLE aside.bodies AS SELECT * FROM main.bodies WHERE block = {0}",
                                       block)
                               .c_str());
  auto detached = from.execute("DETACH aside");
  return done ? detached : done;
}

}  // namespace weir::spool
