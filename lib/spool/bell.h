// Wakes the process that writes a spool: whoever has left a request in the file rings, so that the writer does not find it only
// when it looks the next time.
//
// The bell is the time of the writer's lock file, which is there while a writer is: ring() sets it, and listening is one inotify
// watch on that file. So nothing else that happens in the folder wakes the writer.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <string>

namespace weir::spool {

// Not thread safe.
class Bell {
 public:
  // For the process that writes the spool. Takes one descriptor. Error: io.
  static base::Result<Bell> listen(const std::string& spool);
  Bell() = default;

  // Readable when somebody rang; -1 when nobody listens.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Whether somebody rang since the last call.
  bool was_rung();

 private:
  explicit Bell(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

// Nobody may listen. Error: io.
base::Result<void> ring(const std::string& spool);

}  // namespace weir::spool
