// Locks that the kernel frees when their holder dies.
//
// A LockFile is an OFD lock on a side file of the spool. One keeper and writer a spool (`SPOOL-lock`), one process a consumer's
// name (`SPOOL-lock-NAME`). The side files stay: removing one would let two hold it.
//
// A NameHold is an OFD lock on the spool itself that says by which name it is in use: log and side files stand beside that name,
// and who came by another one (a hard link, a bind mount, a file that was moved) would see none of them.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "base/unique_fd.h"

#include <string>

namespace weir::spool {

// Held until it goes. Movable.
class LockFile {
 public:
  // Waits up to `wait`, or until `stop` (may be null) is raised. `what` is for the error: "spool 'x.db'". Errors: busy (names the
  // holder's process id), interrupted, io.
  static base::Result<LockFile> take(const std::string& path, const std::string& what, base::Duration wait,
                                     const base::Clock& clock, const base::Stop* stop);
  LockFile() = default;

 private:
  explicit LockFile(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

// Shared by all who came by the same name, as long as it lives. Movable.
class NameHold {
 public:
  // `path` must be there. Errors: busy (it is in use by another name), io.
  static base::Result<NameHold> take(const std::string& path);
  // The same error, and nothing is taken. A file that is absent or may not be read is nobody's.
  static base::Result<void> check(const std::string& path);
  NameHold() = default;
  NameHold(NameHold&& other) noexcept;
  NameHold& operator=(NameHold&& other) noexcept;
  ~NameHold();

  // Of the spool itself, for reading and writing.
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;  // never closed while SQLite may have the file open, see lock_file.cc
};

// Whether somebody holds it now. Takes nothing, not even for a moment.
bool is_locked(const std::string& path);

std::string writer_lock_path(const std::string& spool);
std::string consumer_lock_path(const std::string& spool, const std::string& name);
std::string rejected_lock_path(const std::string& spool);  // of whoever delivers rejected records again

}  // namespace weir::spool
