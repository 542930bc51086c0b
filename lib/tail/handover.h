// The open files that a tail leaves to the one that replaces it in the same process, when `weir run` reads its text again.
//
// A log file that was rotated away and deleted can be read only by who has it open. Positions say how far it was read, but no name
// leads to it any more. So the tail that ends gives its descriptors to a Handover, and the tail that replaces it finds its files
// there: by identity, like any other file. Only the files of logs that the next tail may not find whole by name are handed over,
// and those of which records are in flight (read_files.h).
//
// The owner, who builds the new pipelines, calls clear() when all of them are built: a tail takes what is there when it is made. A
// file that no tail wants is closed then, or when the tails that saw it have looked at their logs once, so that its blocks do not
// stay on the disk.
#pragma once

#include "base/unique_fd.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace weir::tail {

struct OpenFile {
  base::UniqueFd fd;  // none: the file was parked, and stands here for its place in the order
  std::string path;   // when it was opened
  std::uint64_t inode = 0, device = 0;
  std::uint64_t place = 0;  // bytes that the tail had read, safe or not
  bool read = false;        // it was read to its end, and only records that are not safe yet need it (read_files.h)
};

// The files of one log, oldest first: all that its reader, or their keeper, was not done with. Shared, because two tails may read
// one log.
using OpenFiles = std::vector<std::shared_ptr<const OpenFile>>;

// Any thread may call.
class Handover {
 public:
  // `log`: its key. What is known of the log already is merged: each file once, in order, with the smaller place.
  void add(const std::string& log, OpenFiles files);
  // By log.
  [[nodiscard]] std::map<std::string, OpenFiles> files() const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, OpenFiles> files_;
};

}  // namespace weir::tail
