// Locks that the kernel releases when their holder dies.
//
// A LockFile is an OFD lock on a file beside the spool. `SPOOL-lock` is for the one writer of a spool, `SPOOL-lock-NAME` for the
// one process of a consumer. These files are never removed: with a new file of the name, two processes could hold the lock.
//
// A NameHold is an OFD lock on the spool itself that says under which name it is in use. Its log and its locks stand beside that
// name. A process that opened it under another name (a hard link, a bind mount, a file that was moved) would see none of them.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string>

namespace weir::spool {

// Released by the destructor. Movable.
class LockFile {
 public:
  // Waits up to `wait`, or until `stop` (may be null) is raised. `what` names the object in the error: "spool 'x.db'". Errors: busy
  // (names the holder's process id), interrupted, io.
  static base::Result<LockFile> take(const std::string& path, const std::string& what, base::Duration wait,
                                     const base::Clock& clock, const base::Stop* stop);
  LockFile() = default;

 private:
  explicit LockFile(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

// Shared by all processes that opened the spool under the same name. Released by the destructor. Movable.
class NameHold {
 public:
  // `path` must exist. Errors: busy (the file is in use under another name), io.
  static base::Result<NameHold> take(const std::string& path);
  // Gives the same errors, but takes no lock. A file that does not exist or may not be read gives no error.
  static base::Result<void> check(const std::string& path);
  NameHold() = default;
  NameHold(NameHold&& other) noexcept;
  NameHold& operator=(NameHold&& other) noexcept;
  ~NameHold();

  // A descriptor of the spool itself, for reading and writing.
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;  // never closed while SQLite may have the file open, see lock_file.cc
};

// Whether a process holds the lock now. Never takes the lock itself, not even for a moment.
bool is_locked(const std::string& path);

// The process id that the latest holder of the lock wrote; 0 when there is none.
std::uint64_t latest_holder(const std::string& path);

std::string writer_lock_path(const std::string& spool);
std::string consumer_lock_path(const std::string& spool, const std::string& name);
std::string rejected_lock_path(const std::string& spool);  // of the process that delivers rejected records again

}  // namespace weir::spool
