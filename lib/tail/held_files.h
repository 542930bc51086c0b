// Bounds what open files cost: the disk space of deleted files that are kept because they are open, and the descriptors.
//
// During an outage a blocked chain opens every file that is rotated, but reads none of them. When the kubelet removes such a file,
// its blocks stay on the disk until it is closed. Beyond the bound a deleted file is exchanged for its compressed copy, where there
// is one; then the oldest are given up, and their readers report what was lost of each. Files that were read to their ends, and
// stay open until their records are safe (read_files.h), are closed before any of these.
//
// When there are more files than descriptors, the files that were written least recently are parked (input_file.h): they are still
// followed, and opened again when something is written to them.
#pragma once

#include "base/diagnostics.h"
#include "tail/input_file.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// Any thread may call.
class HeldFiles {
 public:
  // `limit`: bytes of deleted files that were not read yet, or whose records are not safe yet.
  HeldFiles(std::uint64_t limit, base::Diagnostics& diagnostics) : limit_(limit), diagnostics_(diagnostics) {}

  void add(const std::shared_ptr<InputFile>& file);

  // Bytes of all files that are still to be read; of compressed files all their bytes until they are closed. Looks at each file.
  [[nodiscard]] std::uint64_t unread();

  // Checks all files against the bound. True while it counts some, which may still grow.
  bool enforce();
  // Frees descriptors where nearly all are in use, for a file that is to be opened: deleted files that were read to their ends,
  // then those of files that were written least recently, which are parked, then those of deleted files that were not read, the
  // oldest first. Leaves some for the rest of the process, which needs them for connections and its spool. Costs three system calls
  // while there are enough.
  void make_room();
  // The first and the last of these steps: closes a deleted file that was read to its end, or else the oldest that was not. False
  // when there is none.
  bool give_up_read();
  bool give_up_oldest();

 private:
  struct Deleted {
    std::shared_ptr<InputFile> file;
    InputFile::Holding holding;
  };
  std::vector<Deleted> deleted_files();  // oldest first
  bool park_some();
  void give_up(InputFile& file, std::string_view key, const std::string& cause);

  const std::uint64_t limit_;
  base::Diagnostics& diagnostics_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<InputFile>> files_;
  bool reported_parked_ = false;
};

}  // namespace weir::tail
