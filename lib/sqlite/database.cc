#include "sqlite/database.h"

#include "base/unique_fd.h"
#include "sqlite/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace weir::sqlite {
namespace {

// SQLite would create the file with the process's umask; its -wal and -shm files take the mode of the file itself. The descriptor
// is closed before SQLite opens the file: closing one later would drop SQLite's POSIX locks.
base::Result<void> create_private(const std::string& path) {
  const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!file && errno != EEXIST) return base::io_error(errno, fmt::format("create '{}'", path));
  return {};
}

// A write-ahead log has an index, which cannot be made on a file system that is only to be read. Where there is no log nobody needs one, and
// SQLite is told that the file stays as it is. "" when this does not apply.
std::string unchanging_uri(const std::string& path) {
  struct statvfs system = {};
  if (::statvfs(path.c_str(), &system) != 0 || (system.f_flag & ST_RDONLY) == 0) return {};
  struct stat log = {};
  if (::stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0) return {};
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') uri += fmt::format("%{:02x}", static_cast<unsigned>(c));
    else uri += c;
  }
  return uri + "?immutable=1";
}

}  // namespace

base::Result<Database> Database::open(const std::string& path, Access access, base::Duration wait) {
  if (access == Access::create) {
    if (auto created = create_private(path); !created) return std::move(created).error();
  }
  Database database;
  database.path_ = path;
  database.log_frames_ = std::make_unique<std::int64_t>(0);
  // A reader of a write-ahead log takes part in its locks, so it opens the file for writing too, and is kept from writing below.
  const std::string unchanging = access == Access::read ? unchanging_uri(path) : std::string();
  int code = unchanging.empty() ? sqlite3_open_v2(path.c_str(), &database.handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr)
                                : sqlite3_open_v2(unchanging.c_str(), &database.handle_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, nullptr);
  if (code != SQLITE_OK && access == Access::read) {
    sqlite3_close_v2(database.handle_);
    code = sqlite3_open_v2(path.c_str(), &database.handle_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  }
  if (code != SQLITE_OK) return error_of(database.handle_, code, "open", path);
  if (access != Access::read && sqlite3_db_readonly(database.handle_, "main") == 1) {
    return base::fail(base::Code::io, "cannot write '{}': it may only be read, or stands on a file system that may", path);
  }
  sqlite3_extended_result_codes(database.handle_, 1);
  database.set_wait(wait);
  // Takes the place of SQLite's own hook, which would checkpoint by itself; `PRAGMA wal_autocheckpoint` would undo this.
  sqlite3_wal_hook(
      database.handle_,
      [](void* frames, sqlite3*, const char*, int count) {
        *static_cast<std::int64_t*>(frames) = count;
        return SQLITE_OK;
      },
      database.log_frames_.get());
  if (access == Access::read) {
    if (auto only = database.execute("PRAGMA query_only = 1"); !only) return std::move(only).error();
  }
  return database;
}

Database::Database(Database&& other) noexcept
    : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, nullptr)), log_frames_(std::move(other.log_frames_)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(handle_, other.handle_);
  std::swap(log_frames_, other.log_frames_);
  return *this;
}

Database::~Database() { sqlite3_close_v2(handle_); }

base::Result<Statement> Database::prepare(std::string_view sql) {
  Statement statement;
  const int code =
      sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement.statement_, nullptr);
  if (code != SQLITE_OK) return error_of(handle_, code, "read", path_);
  return statement;
}

base::Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(handle_, code, "write", path_);
  return {};
}

base::Result<std::int64_t> Database::integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  auto row = statement->step();
  if (!row) return std::move(row).error();
  return *row ? statement->integer(0) : 0;
}

void Database::set_wait(base::Duration wait) {
  sqlite3_busy_timeout(handle_, static_cast<int>(std::clamp<base::Duration>(wait / base::kMillisecond, 0, 1 << 30)));
}

void Database::keep_log_on_close() { sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

std::int64_t Database::log_frames() const { return *log_frames_; }

base::Result<bool> Database::checkpoint(bool truncate) {
  int frames = 0;
  int copied = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
  if (code == SQLITE_BUSY) return false;
  if (code != SQLITE_OK) return error_of(handle_, code, "write", path_);
  if (copied >= frames) *log_frames_ = 0;
  return copied >= frames;
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_); }

base::Result<Transaction> Transaction::begin(Database& database, Kind kind) {
  if (auto begun = database.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN"); !begun) return std::move(begun).error();
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

base::Result<void> Transaction::commit() {
  if (auto committed = database_->execute("COMMIT"); !committed) return committed;
  database_ = nullptr;
  return {};
}

}  // namespace weir::sqlite
