#include "spool/spool_file.h"

#include "base/access.h"
#include "spool/damage.h"
#include "spool/reserve.h"
#include "spool/tables/meta.h"
#include "spool/tables/schema.h"
#include "sqlite/migrations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace weir::spool {
namespace {

constexpr int kMostOfLog = 32 << 20;

// The cache is small: memory is limited, and a page is rarely read again soon. Some builds of SQLite overwrite deleted content by
// default, so that every evicted page would be written once more.
constexpr const char* kSettings = "PRAGMA cache_size = -512; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST";

base::Result<std::uint64_t> read_id(sqlite::Database& database) {
  const auto id = read_meta(database, Meta::spool);
  if (!id) return id.error();
  if (*id == 0) return base::fail(base::Code::corrupt, "cannot use '{}': its identity is missing", database.path());
  return static_cast<std::uint64_t>(*id);
}

// What SQLite takes for somebody else's file may be a spool whose first page is damaged.
template <typename Open>
auto with_care(const std::string& path, const Open& open) {
  auto opened = open();
  if (!opened && opened.error().code == base::Code::usage) {
    if (auto whole = check_undamaged(path); !whole) opened = std::move(whole).error();
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

base::Error absent(const std::string& path) { return base::io_error(ENOENT, fmt::format("open spool '{}'", path)); }

base::Result<SpoolFile> try_writing(const std::string& path, Sync sync, base::Duration wait) {
  auto database = sqlite::Database::open(path, sqlite::Access::create, wait);
  if (!database) return std::move(database).error();
  auto name = NameHold::take(path);
  if (!name) return std::move(name).error();
  auto note = read_note(path);
  auto kind = sqlite::identify(*database, spool_format());
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
    if (auto migrated = sqlite::migrate(*database, spool_format()); !migrated) return std::move(migrated).error();
  }
  if (auto added = add_new_tables(*database); !added) return std::move(added).error();
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
    return base::fail(base::Code::usage, "cannot acknowledge into '{}': it belongs to user {}, not to us ({})", path, status.st_uid,
                      ::geteuid());
  }
  auto database = sqlite::Database::open(path, sqlite::Access::write, wait);
  if (!database) return std::move(database).error();
  auto name = NameHold::take(path);
  if (!name) return std::move(name).error();
  auto kind = sqlite::identify(*database, spool_format());
  if (!kind) return std::move(kind).error();
  if (*kind == sqlite::FileKind::empty) return absent(path);
  if (*kind == sqlite::FileKind::older) {
    return base::fail(base::Code::version, "cannot acknowledge into '{}': its format is an older one", path)
        .with_hint("start the `weir buffer` that fills it first; only the writer migrates");
  }
  // When the log starts again, SQLite cuts it to this size, also where a consumer's commits have made it long.
  const std::string settings =
      fmt::format("{}; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = {}", kSettings, kMostOfLog);
  if (auto set = database->execute(settings.c_str()); !set) return set.error();
  database->keep_log_on_close();
  auto id = read_id(*database);
  if (!id) return std::move(id).error();
  if (auto added = add_new_tables(*database); !added) return std::move(added).error();
  return SpoolFile{std::move(*name), std::move(*database), *id, std::nullopt};
}

base::Result<std::optional<SpoolFile>> try_reading(const std::string& path, base::Duration wait) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::optional<SpoolFile>();
    base::Error error = base::io_error(errno, fmt::format("open spool '{}'", path));
    if (error.system != EACCES) return error;
    return std::move(error).with_hint("this user may not look into its folder: read it as the user that writes it, or as root");
  }
  if (auto ok = check_kind(path); !ok) return std::move(ok).error();
  if (!base::may_access(path, R_OK) && errno == EACCES) {
    return base::io_error(EACCES, fmt::format("open spool '{}'", path))
        .with_hint(fmt::format("it belongs to user {}: read it as that user or as root", status.st_uid));
  }
  // Without its log a spool lacks records, and an answer from it would be a wrong one.
  const std::string log = path + "-wal";
  if (::faccessat(AT_FDCWD, log.c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES) {
    return base::io_error(EACCES, fmt::format("open the write-ahead log '{}' of the spool", log))
        .with_hint(fmt::format("the newest records are in it: read it as user {} or as root, or let that user run "
                               "`weir spool copy`",
                               status.st_uid));
  }
  if (auto known = NameHold::check(path); !known) return std::move(known).error();
  auto note = read_note(path);
  auto database = sqlite::Database::open(path, sqlite::Access::read, wait);
  if (!database) return std::move(database).error();
  auto kind = sqlite::identify(*database, spool_format());
  if (!kind) return std::move(kind).error();
  if (*kind == sqlite::FileKind::empty) return std::optional<SpoolFile>();
  if (auto set = database->execute(kSettings); !set) return set.error();
  database->keep_log_on_close();
  auto id = read_id(*database);
  if (!id) return std::move(id).error();
  return std::optional<SpoolFile>(SpoolFile{{}, std::move(*database), *id, note});
}

}  // namespace

base::Result<void> check_kind(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return {};
  return base::fail(base::Code::usage, "cannot open spool '{}': it is {}", path,
                    S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
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

}  // namespace weir::spool
