#include "sqlite/database.h"

#include "base/access.h"
#include "base/private_file.h"
#include "sqlite/error.h"
#include "sqlite/still_vfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace weir::sqlite {
namespace {

// SQLite would create the file with the process's umask. The -wal and -shm files take the mode of the file itself. The
// descriptor is closed before SQLite opens the file, because closing it later would drop SQLite's POSIX locks.
base::Result<void> create_private(const std::string& path) {
  const base::UniqueFd file = base::open_private(path, true);
  if (file) return {};
  if (errno != EEXIST) return base::io_error(errno, fmt::format("create '{}'", path));
  // A link that points to itself exists too. SQLite would not say why it cannot open it.
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 && errno != ENOENT) return base::io_error(errno, fmt::format("open '{}'", path));
  return {};
}

constexpr std::uint64_t kIndexRoom = 256 << 10;  // 32 KiB of index for 4096 pages of the log

bool may(const std::string& path, int how) { return base::may_access(path, how); }

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// Whether a reader of `path` can and should use the files that the users of `path` share.
bool can_share(const std::string& path) {
  struct stat file = {};
  if (::stat(path.c_str(), &file) != 0) return true;  // SQLite reports this
  if (!may(path, R_OK | W_OK)) return false;
  bool all = true;
  for (const char* suffix : {"-wal", "-shm"}) {
    const std::string companion = path + suffix;
    if (may(companion, F_OK)) {
      if (!may(companion, R_OK | W_OK)) return false;
    } else {
      all = false;
    }
  }
  // Files made by us would be ours, and the owner of `path`, who writes it, might not be able to use them. On a full disk a
  // part of one would remain.
  const std::string folder = folder_of(path);
  struct statvfs system = {};
  const bool full = ::statvfs(folder.c_str(), &system) == 0 && system.f_bavail * system.f_frsize < kIndexRoom;
  return all || (!full && may(folder, W_OK | X_OK) && (::geteuid() == 0 || ::geteuid() == file.st_uid));
}

}  // namespace

// The state of the files, as far as it shows whether somebody has written.
struct Database::Files {
  struct One {
    std::uint64_t inode = 0;
    std::int64_t size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const One&) const = default;
  };
  One file, log;
  std::array<char, 32> log_head{};  // changes when the log starts again

  static One state_of(const std::string& path) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) return {};
    return {status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }
  explicit Files(const std::string& path) : file(state_of(path)), log(state_of(path + "-wal")) {
    const base::UniqueFd fd(::open((path + "-wal").c_str(), O_RDONLY | O_CLOEXEC));
    if (fd && ::pread(fd.get(), log_head.data(), log_head.size(), 0) < 0) log_head = {};
  }
};

bool Database::outdated() const {
  if (still_ == nullptr) return false;
  const Files now(path_);
  return now.file != still_->file || now.log != still_->log;
}

bool Database::torn() const {
  if (still_ == nullptr) return false;
  const Files now(path_);
  return now.file != still_->file || now.log.inode != still_->log.inode || now.log_head != still_->log_head;
}

base::Result<Database> Database::open_still(const std::string& path) {
  Database database;
  database.path_ = path;
  database.log_frames_ = std::make_unique<std::int64_t>(0);
  database.still_ = std::make_shared<const Files>(path);
  const int code = sqlite3_open_v2(path.c_str(), &database.handle_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, still_vfs());
  if (code != SQLITE_OK) return error_of(database.handle_, code, "open", path);
  sqlite3_extended_result_codes(database.handle_, 1);
  // The first statement reads the log and makes its index.
  if (auto read = database.integer("SELECT count(*) FROM sqlite_schema"); !read) return std::move(read).error();
  return database;
}

base::Result<Database> Database::open(const std::string& path, Access access, base::Duration wait) {
  if (access != Access::read) return open_shared(path, access, wait);
  if (!can_share(path)) return open_still(path);
  auto database = open_shared(path, access, wait);
  if (database) {
    // The first statement makes the log's index, and a full disk may refuse that.
    auto read = database->integer("SELECT count(*) FROM sqlite_schema");
    if (read || (read.error().code != base::Code::full && read.error().code != base::Code::io)) return database;
    database = std::move(read).error();
  }
  if (database.error().code != base::Code::full && database.error().code != base::Code::io) return database;
  auto still = open_still(path);
  return still ? std::move(still) : std::move(database);
}

base::Result<Database> Database::open_shared(const std::string& path, Access access, base::Duration wait) {
  if (access == Access::create) {
    if (auto created = create_private(path); !created) return std::move(created).error();
  }
  Database database;
  database.path_ = path;
  database.log_frames_ = std::make_unique<std::int64_t>(0);
  // A reader of a write-ahead log takes its locks, so it opens the file for writing too. The code below keeps it from writing.
  const int code = sqlite3_open_v2(path.c_str(), &database.handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return error_of(database.handle_, code, "open", path);
  if (access != Access::read && sqlite3_db_readonly(database.handle_, "main") == 1) {
    return base::fail(base::Code::io, "cannot write '{}': the file or its file system is read-only", path);
  }
  sqlite3_extended_result_codes(database.handle_, 1);
  database.set_wait(wait);
  // Replaces SQLite's own hook, which would checkpoint by itself. `PRAGMA wal_autocheckpoint` would undo this.
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
    : path_(std::move(other.path_)),
      handle_(std::exchange(other.handle_, nullptr)),
      kept_(std::move(other.kept_)),
      log_frames_(std::move(other.log_frames_)),
      still_(std::move(other.still_)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(handle_, other.handle_);
  std::swap(kept_, other.kept_);
  std::swap(log_frames_, other.log_frames_);
  std::swap(still_, other.still_);
  return *this;
}

Database::~Database() {
  kept_.clear();  // a file is closed only once its last statement is gone
  sqlite3_close_v2(handle_);
}

base::Result<Statement> Database::prepare(std::string_view sql) {
  Statement statement;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement.statement_, nullptr);
  if (code != SQLITE_OK) return error_of(handle_, code, "read", path_);
  return statement;
}

base::Result<Query> Database::query(std::string_view sql) {
  if (const auto known = kept_.find(sql); known != kept_.end()) return Query(known->second);
  auto prepared = prepare(sql);
  if (!prepared) return std::move(prepared).error();
  return Query(kept_.emplace(sql, std::move(*prepared)).first->second);
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
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
                                             &frames, &copied);
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
