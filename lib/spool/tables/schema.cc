#include "spool/tables/schema.h"

#include <array>

namespace weir::spool {
namespace {

constexpr const char* kFirst = R"sql(
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE blocks (
  id INTEGER PRIMARY KEY,
  stored INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  records INTEGER NOT NULL,
  held INTEGER NOT NULL,
  line_bytes INTEGER NOT NULL,
  body_bytes INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  streams BLOB NOT NULL,
  positions BLOB NOT NULL
);
CREATE TABLE bodies (block INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE positions (one INTEGER PRIMARY KEY CHECK (one = 1), through_block INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE consumers (
  name TEXT PRIMARY KEY,
  match TEXT NOT NULL,
  block INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  partial BLOB NOT NULL,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE rejected (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  consumer TEXT NOT NULL,
  block INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  status INTEGER NOT NULL,
  reason TEXT NOT NULL,
  url TEXT NOT NULL,
  tenant TEXT NOT NULL,
  record TEXT NOT NULL
);
CREATE INDEX rejected_place ON rejected (block, ordinal);
CREATE TABLE released (block INTEGER PRIMARY KEY, ordinals BLOB NOT NULL);
CREATE TABLE requests (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL);
INSERT INTO meta VALUES ('spool', random() | 1);
INSERT INTO meta VALUES ('created', CAST(strftime('%s', 'now') AS INTEGER) * 1000000000);
)sql";

// What later releases have added without a new format: a release that does not know it leaves it alone, so that a roll-back finds a
// spool that it can read and write. The bytes of the rejected store are counted by triggers, which work for every release.
// SQLite keeps these texts in the first page, which must have room for the note of the log as well (spool/log_note.h): be brief.
constexpr const char* kAdded = R"sql(
CREATE TABLE IF NOT EXISTS rejected_ranges (
  block INTEGER NOT NULL,
  consumer TEXT NOT NULL,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  status INTEGER NOT NULL,
  time INTEGER NOT NULL,
  reason TEXT NOT NULL,
  url TEXT NOT NULL,
  records INTEGER NOT NULL,
  ordinals BLOB NOT NULL,
  PRIMARY KEY (block, consumer, tenant, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held_groups (block INTEGER PRIMARY KEY, "group" INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS rejected_added AFTER INSERT ON rejected BEGIN
  UPDATE meta SET value = value + length(CAST(new.record AS BLOB)) + length(new.reason) + length(new.url) + 64 )sql"
                               R"sql(WHERE name = 'rejected_bytes';
END;
CREATE TRIGGER IF NOT EXISTS rejected_changed AFTER UPDATE ON rejected BEGIN
  UPDATE meta SET value = value + length(CAST(new.record AS BLOB)) + length(new.reason) + length(new.url)
    - length(CAST(old.record AS BLOB)) - length(old.reason) - length(old.url) WHERE name = 'rejected_bytes';
END;
CREATE TRIGGER IF NOT EXISTS rejected_gone AFTER DELETE ON rejected BEGIN
  UPDATE meta SET value = value - length(CAST(old.record AS BLOB)) - length(old.reason) - length(old.url) - 64 )sql"
                               R"sql(WHERE name = 'rejected_bytes';
END;
CREATE TABLE IF NOT EXISTS releases (id TEXT PRIMARY KEY, created, query, from_time, to_time, state, matched, released, )sql"
                               R"sql(left_out) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS release_requests (release, block, records, ordinals, PRIMARY KEY (release, block)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS release_blocks (block INTEGER PRIMARY KEY, release, records, gone, refused, lost);
INSERT OR IGNORE INTO meta
  SELECT 'rejected_bytes', coalesce(sum(length(CAST(record AS BLOB)) + length(reason) + length(url) + 64), 0) FROM rejected;
)sql";

constexpr std::uint32_t kApplicationId = 0x57656972;  // "Weir"
constexpr std::array kSteps = {kFirst};
constexpr sqlite::Format kFormat = {.application_id = kApplicationId, .steps = kSteps, .name = "weir spool"};

base::Result<sqlite::Database> make_template() {
  auto database = sqlite::Database::open(":memory:", sqlite::Access::write, 0);
  if (!database) return database;
  if (auto set = database->execute("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL"); !set)
    return std::move(set).error();
  if (auto made = sqlite::migrate(*database, kFormat); !made) return std::move(made).error();
  if (auto added = add_new_tables(*database); !added) return std::move(added).error();
  return database;
}

// Calls `each` with name, root page and text of everything that SQLite keeps a statement of.
template <typename Each>
base::Result<void> for_schema(sqlite::Database& database, const Each& each) {
  auto rows = database.prepare("SELECT name, rootpage, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  if (!rows) return std::move(rows).error();
  return rows->for_rows([&] { each(std::string(rows->text(0)), rows->integer(1), std::string(rows->text(2))); });
}

}  // namespace

const sqlite::Format& spool_format() { return kFormat; }

std::string_view create_statement(std::string_view table) {
  const std::string_view all(kFirst);
  const std::size_t from = all.find(fmt::format("CREATE TABLE {} (", table));
  return from == std::string_view::npos ? std::string_view() : all.substr(from, all.find(';', from) - from);
}

base::Result<void> add_new_tables(sqlite::Database& database) {
  const auto there = database.integer(
      "SELECT count(*) FROM sqlite_schema WHERE name IN ('rejected_ranges', 'rejected_added', 'rejected_changed', "
      "'rejected_gone', 'held_groups', 'releases', 'release_requests', 'release_blocks')");
  if (!there) return there.error();
  if (*there == 8) return {};
  auto transaction = sqlite::Transaction::begin(database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  if (auto done = database.execute(kAdded); !done) return done;
  return transaction->commit();
}

base::Result<std::map<std::string, std::uint32_t>> table_roots() {
  auto made = make_template();
  if (!made) return std::move(made).error();
  std::map<std::string, std::uint32_t> roots;
  auto done = for_schema(*made, [&](const std::string& name, std::int64_t root, const std::string&) {
    roots[name] = static_cast<std::uint32_t>(root);
  });
  if (!done) return std::move(done).error();
  return roots;
}

base::Result<void> check_schema(sqlite::Database& database) {
  auto made = make_template();
  if (!made) return std::move(made).error();
  std::map<std::string, std::string> there;
  auto done = for_schema(database, [&](const std::string& name, std::int64_t, const std::string& text) { there[name] = text; });
  if (!done) return done;
  bool same = true;
  done = for_schema(*made,
                    [&](const std::string& name, std::int64_t, const std::string& text) { same = same && there[name] == text; });
  if (!done) return done;
  return same ? base::Result<void>()
              : base::fail(base::Code::corrupt, "cannot use '{}': its description of its tables is damaged", database.path());
}

}  // namespace weir::spool
