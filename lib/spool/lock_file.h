// A lock that the kernel frees when its holder dies: an OFD lock on a side file of the spool. One keeper and writer a spool
// (`SPOOL-lock`), one process a consumer's name (`SPOOL-lock-NAME`). The side files stay: removing one would let two hold it.
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
  static base::Result<LockFile> take(const std::string& path, const std::string& what, base::Duration wait, const base::Clock& clock,
                                     const base::Stop* stop);
  LockFile() = default;

 private:
  explicit LockFile(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

// Whether somebody holds it now. Takes nothing, not even for a moment.
bool is_locked(const std::string& path);

std::string writer_lock_path(const std::string& spool);
std::string consumer_lock_path(const std::string& spool, const std::string& name);
std::string rejected_lock_path(const std::string& spool);  // of whoever delivers rejected records again

}  // namespace weir::spool
