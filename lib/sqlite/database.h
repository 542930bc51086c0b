// One connection to a SQLite file, with Results. No code above this module sees sqlite3.h.
//
// Callers branch on the error code: busy (locked for longer than the wait), full (disk or quota), corrupt (damaged), usage (not
// a SQLite file), io (everything else that the system refuses). https://www.sqlite.org/rescode.html
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

struct sqlite3;
struct sqlite3_stmt;

namespace weir::sqlite {

// A compiled statement. It must not outlive its Database. Parameters count from 1, columns from 0. Text and blobs are views
// that live until the next step() or reset(). Not thread safe.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  // The bytes must live until the statement is reset.
  Statement& bind_text(int index, std::string_view value);
  Statement& bind_blob(int index, std::string_view value);
  Statement& bind_null(int index);

  // True when there is a row. After false or an error the statement is reset, and can be bound and stepped again.
  base::Result<bool> step();
  // For statements that give no rows.
  base::Result<void> run();
  // Calls `each` at every row; an error that it returns ends the rows.
  template <typename Each>
  base::Result<void> for_rows(const Each& each) {
    while (true) {
      auto row = step();
      if (!row) return std::move(row).error();
      if (!*row) return {};
      if constexpr (std::is_void_v<decltype(each())>) {
        each();
      } else if (auto done = each(); !done) {
        reset();
        return done;
      }
    }
  }
  // Binds a copy of a column, of any kind, of the current row of `from`.
  Statement& bind_value(int index, const Statement& from, int column);
  void reset();

  [[nodiscard]] int columns() const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Database;
  sqlite3_stmt* statement_ = nullptr;
};

// A statement that its Database keeps compiled for the next time. It is reset when this goes, so that it holds no lock any longer
// and its views are worth nothing. One at a time of the same text.
class Query {
 public:
  explicit Query(Statement& statement) : statement_(&statement) {}
  Query(Query&& other) noexcept : statement_(other.statement_) { other.statement_ = nullptr; }
  Query& operator=(Query&&) = delete;
  Query(const Query&) = delete;
  ~Query() {
    if (statement_ != nullptr) statement_->reset();
  }
  Statement& operator*() const { return *statement_; }
  Statement* operator->() const { return statement_; }

 private:
  Statement* statement_;
};

enum class Access : std::uint8_t {
  read,    // the file must exist and is not changed; when no file can or should be put beside it, none is: see still()
  write,   // the file must exist
  create,  // a missing file is created with mode 0600
};

// Movable. One thread at a time: each thread that works on the file opens its own. Only checkpoint() copies a write-ahead log
// into the file.
class Database {
 public:
  // `wait` is how long a call waits for a lock that another connection holds.
  static base::Result<Database> open(const std::string& path, Access access, base::Duration wait);
  Database() = default;
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  Database(const Database&) = delete;
  ~Database();

  explicit operator bool() const { return handle_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }

  base::Result<Statement> prepare(std::string_view sql);
  // For what is asked again and again: compiled once. The text of `sql` must outlive the database, as a literal does.
  base::Result<Query> query(std::string_view sql);
  // Runs any number of statements. Rows are ignored.
  base::Result<void> execute(const char* sql);
  // The first column of the first row; 0 when there is none.
  base::Result<std::int64_t> integer(std::string_view sql);

  void set_wait(base::Duration wait);
  // Closing the last connection then does not copy the write-ahead log into the file.
  void keep_log_on_close();
  // Frames in the write-ahead log after the latest commit of this connection.
  [[nodiscard]] std::int64_t log_frames() const;
  // Copies as much of the write-ahead log into the file as no other connection needs. Never waits. `truncate` waits for others
  // and gives the log's space back. True when all of it was copied.
  base::Result<bool> checkpoint(bool truncate);
  [[nodiscard]] std::int64_t changes() const;

  // Opened for reading where the log's index cannot be made or shared: the disk is full or read-only, or folder or file belong
  // to another user. It shows the file as it was when it was opened, without later commits.
  [[nodiscard]] bool still() const { return still_ != nullptr; }
  // Only when still(): something was committed after it was opened. Open it again to see that.
  [[nodiscard]] bool outdated() const;
  // Only when still(): after it was opened, a writer copied the log into the file, or started it again. What was read may come from
  // two times.
  [[nodiscard]] bool torn() const;

 private:
  friend class ReadWatch;
  struct Files;
  static base::Result<Database> open_still(const std::string& path);
  static base::Result<Database> open_shared(const std::string& path, Access access, base::Duration wait);

  std::string path_;
  sqlite3* handle_ = nullptr;
  std::map<std::string_view, Statement> kept_;  // of query()
  std::unique_ptr<std::int64_t> log_frames_;    // does not move when the Database moves
  std::shared_ptr<const Files> still_;          // the files at the time of opening
};

// BEGIN … COMMIT. The destructor rolls back when there was no commit().
class Transaction {
 public:
  enum class Kind : std::uint8_t { read, write };
  static base::Result<Transaction> begin(Database& database, Kind kind);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  ~Transaction();

  base::Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace weir::sqlite
