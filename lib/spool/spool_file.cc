#include "spool/spool_file.h"

#include "spool/damage.h"
#include "spool/reserve.h"
#include "sqlite/migrations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

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

// What later releases have added without a new format: a release that does not know it leaves it alone, so that a roll-back finds a spool
// that it can read and write. The bytes of the rejected store are counted by triggers, which work for every release.
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
CREATE TRIGGER IF NOT EXISTS rejected_added AFTER INSERT ON rejected BEGIN
  UPDATE meta SET value = value + length(CAST(new.record AS BLOB)) + length(new.reason) + length(new.url) + 64 WHERE name = 'rejected_bytes';
END;
CREATE TRIGGER IF NOT EXISTS rejected_changed AFTER UPDATE ON rejected BEGIN
  UPDATE meta SET value = value + length(CAST(new.record AS BLOB)) + length(new.reason) + length(new.url)
    - length(CAST(old.record AS BLOB)) - length(old.reason) - length(old.url) WHERE name = 'rejected_bytes';
END;
CREATE TRIGGER IF NOT EXISTS rejected_gone AFTER DELETE ON rejected BEGIN
  UPDATE meta SET value = value - length(CAST(old.record AS BLOB)) - length(old.reason) - length(old.url) - 64 WHERE name = 'rejected_bytes';
END;
INSERT OR IGNORE INTO meta SELECT 'rejected_bytes', coalesce(sum(length(CAST(record AS BLOB)) + length(reason) + length(url) + 64), 0) FROM rejected;
)sql";

constexpr std::array kSteps = {kFirst};
constexpr int kMostOfLog = 32 << 20;
constexpr sqlite::Format kFormat = {.application_id = kApplicationId, .steps = kSteps, .name = "weir spool"};

// The cache is kept low: a stage's memory is counted, and what is read again soon is rare. Some builds of SQLite overwrite what was deleted
// by default, and every evicted page would be written once more.
constexpr const char* kSettings = "PRAGMA cache_size = -512; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST";

base::Result<std::uint64_t> read_id(sqlite::Database& database) {
  const auto id = database.integer("SELECT value FROM meta WHERE name = 'spool'");
  if (!id) return id.error();
  if (*id == 0) return base::fail(base::Code::corrupt, "cannot use '{}': its identity is gone", database.path());
  return static_cast<std::uint64_t>(*id);
}

// What SQLite takes for somebody else's file may be a spool whose first page is damaged.
template <typename Open>
auto with_care(const std::string& path, const Open& open) {
  auto opened = open();
  if (!opened && opened.error().code == base::Code::usage) {
    if (auto whole = look_whole(path); !whole) opened = std::move(whole).error();
  }
  return opened;
}

// Opening for writing may need a little of the disk, for the index of the write-ahead log. On a full one the reserve is there for
// this.
template <typename Open>
auto with_reserve(const std::string& path, const Open& open) {
  auto opened = open();
  if (!opened && opened.error().code == base::Code::full && Reserve::release(path)) opened = open();
  return opened;
}

base::Result<void> add_what_is_new(sqlite::Database& database) {
  const auto there = database.integer("SELECT count(*) FROM sqlite_schema WHERE name IN ('rejected_ranges', 'rejected_added', 'rejected_changed', 'rejected_gone')");
  if (!there) return there.error();
  if (*there == 4) return {};
  auto transaction = sqlite::Transaction::begin(database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  if (auto done = database.execute(kAdded); !done) return done;
  return transaction->commit();
}

base::Error absent(const std::string& path) { return base::io_error(ENOENT, fmt::format("open spool '{}'", path)); }

base::Result<SpoolFile> try_writing(const std::string& path, Sync sync, base::Duration wait) {
  auto database = sqlite::Database::open(path, sqlite::Access::create, wait);
  if (!database) return std::move(database).error();
  auto name = NameHold::take(path);
  if (!name) return std::move(name).error();
  auto note = read_note(path);
  auto kind = sqlite::identify(*database, kFormat);
  if (!kind) return std::move(kind).error();
  if (*kind == sqlite::FileKind::empty) {
    // Both must be set before the first table, and neither can be set within a transaction.
    const auto set = database->execute("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL");
    if (!set) return set.error();
  }
  if (auto set = database->execute("PRAGMA journal_mode = WAL"); !set) return std::move(set).error();
  const char* level = sync == Sync::off ? "OFF" : sync == Sync::normal ? "NORMAL" : "FULL";
  const std::string settings = fmt::format("{}; PRAGMA synchronous = {}", kSettings, level);
  if (auto set = database->execute(settings.c_str()); !set) return set.error();
  const bool current = *kind == sqlite::FileKind::current;
  if (!current) {
    if (auto migrated = sqlite::migrate(*database, kFormat); !migrated) return std::move(migrated).error();
  }
  if (auto added = add_what_is_new(*database); !added) return std::move(added).error();
  // So that the file by itself is known for a spool. Where that fails it happens later.
  if (!current) static_cast<void>(database->checkpoint(false));
  auto id = read_id(*database);
  if (!id) return std::move(id).error();
  return SpoolFile{std::move(*name), std::move(*database), *id, note};
}

base::Result<SpoolFile> try_consumer(const std::string& path, base::Duration wait) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return base::io_error(errno, fmt::format("open spool '{}'", path));
  if (status.st_uid != ::geteuid()) {
    return base::fail(base::Code::usage, "cannot acknowledge into '{}': it belongs to user {}, not to us ({})", path, status.st_uid, ::geteuid());
  }
  auto database = sqlite::Database::open(path, sqlite::Access::write, wait);
  if (!database) return std::move(database).error();
  auto name = NameHold::take(path);
  if (!name) return std::move(name).error();
  auto kind = sqlite::identify(*database, kFormat);
  if (!kind) return std::move(kind).error();
  if (*kind == sqlite::FileKind::empty) return absent(path);
  if (*kind == sqlite::FileKind::older) {
    return base::fail(base::Code::version, "cannot acknowledge into '{}': its format is an older one", path)
        .with_hint("start the `weir buffer` that fills it first; only the writer migrates");
  }
  // What a consumer's commits have made of the log gives its space back when the log begins anew, whoever begins it.
  const std::string settings = fmt::format("{}; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = {}", kSettings, kMostOfLog);
  if (auto set = database->execute(settings.c_str()); !set) return set.error();
  database->keep_log_on_close();
  auto id = read_id(*database);
  if (!id) return std::move(id).error();
  if (auto added = add_what_is_new(*database); !added) return std::move(added).error();
  return SpoolFile{std::move(*name), std::move(*database), *id, std::nullopt};
}

base::Result<std::optional<SpoolFile>> try_reading(const std::string& path, base::Duration wait) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::optional<SpoolFile>();
    return base::io_error(errno, fmt::format("open spool '{}'", path));
  }
  if (auto ok = check_kind(path); !ok) return std::move(ok).error();
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES) {
    return base::io_error(EACCES, fmt::format("open spool '{}'", path))
        .with_hint(fmt::format("it belongs to user {}: read it as that user or as root", status.st_uid));
  }
  if (auto known = NameHold::check(path); !known) return std::move(known).error();
  auto note = read_note(path);
  auto database = sqlite::Database::open(path, sqlite::Access::read, wait);
  if (!database) return std::move(database).error();
  auto kind = sqlite::identify(*database, kFormat);
  if (!kind) return std::move(kind).error();
  if (*kind == sqlite::FileKind::empty) return std::optional<SpoolFile>();
  if (auto set = database->execute(kSettings); !set) return set.error();
  database->keep_log_on_close();
  auto id = read_id(*database);
  if (!id) return std::move(id).error();
  return std::optional<SpoolFile>(SpoolFile{{}, std::move(*database), *id, note});
}

base::Result<sqlite::Database> make_template() {
  auto database = sqlite::Database::open(":memory:", sqlite::Access::write, 0);
  if (!database) return database;
  if (auto set = database->execute("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL"); !set) return std::move(set).error();
  if (auto made = sqlite::migrate(*database, kFormat); !made) return std::move(made).error();
  if (auto added = add_what_is_new(*database); !added) return std::move(added).error();
  return database;
}

// Calls `each` with name, root page and text of everything that SQLite keeps a statement of.
template <typename Each>
base::Result<void> for_schema(sqlite::Database& database, const Each& each) {
  auto rows = database.prepare("SELECT name, rootpage, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  if (!rows) return std::move(rows).error();
  while (true) {
    auto row = rows->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    each(std::string(rows->text(0)), rows->integer(1), std::string(rows->text(2)));
  }
}

}  // namespace

base::Result<void> check_kind(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return {};
  return base::fail(base::Code::usage, "cannot open spool '{}': it is {}", path, S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
}

std::string real_path(const std::string& path) {
  constexpr int kMostLinks = 40;  // as many as the system follows
  std::filesystem::path at(path);
  std::error_code none;
  for (int links = 0; links < kMostLinks && std::filesystem::is_symlink(at, none); ++links) {
    const std::filesystem::path target = std::filesystem::read_symlink(at, none);
    if (none) break;
    at = at.parent_path() / target;  // `target` alone when it is absolute
  }
  return at.string();
}

std::uint64_t inode_of(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

base::Result<SpoolFile> open_for_writing(const std::string& path, Sync sync, base::Duration wait) {
  return with_care(path, [&] { return with_reserve(path, [&] { return try_writing(path, sync, wait); }); });
}

base::Result<SpoolFile> open_for_consumer(const std::string& path, base::Duration wait) {
  return with_care(path, [&] { return with_reserve(path, [&] { return try_consumer(path, wait); }); });
}

base::Result<std::optional<SpoolFile>> open_for_reading(const std::string& path, base::Duration wait) {
  return with_care(path, [&] { return try_reading(path, wait); });
}

base::Error nothing_to_read(const std::string& path) {
  if (inode_of(path) == 0) return absent(path);
  return base::fail(base::Code::io, "cannot read spool '{}': nothing is stored in it", path)
      .with_hint(fmt::format("if it is a copy, copy '{}-wal' with it, or make it with `weir spool copy`", path));
}

base::Result<std::map<std::string, std::uint32_t>> table_roots() {
  auto made = make_template();
  if (!made) return std::move(made).error();
  std::map<std::string, std::uint32_t> roots;
  auto done = for_schema(*made, [&](const std::string& name, std::int64_t root, const std::string&) { roots[name] = static_cast<std::uint32_t>(root); });
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
  done = for_schema(*made, [&](const std::string& name, std::int64_t, const std::string& text) { same = same && there[name] == text; });
  if (!done) return done;
  return same ? base::Result<void>() : base::fail(base::Code::corrupt, "cannot use '{}': what it says of its tables is damaged", database.path());
}

}  // namespace weir::spool
