// Bounds what files that were deleted keep on the disk because the reader still has them open.
//
// A chain that is blocked, by an outage of hours or a full disk below, opens every file that is rotated meanwhile and does not get to
// read it; once the kubelet removes one, nobody sees what it takes any more. Beyond the bound a deleted file is exchanged for
// its compressed copy, where one is still there, and then the oldest are given up; their readers tell what was lost of each.
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
  // `limit`: bytes of deleted files that were not read yet.
  HeldFiles(std::uint64_t limit, base::Diagnostics& diagnostics) : limit_(limit), diagnostics_(diagnostics) {}

  void add(const std::shared_ptr<InputFile>& file);

  // Looks at all files. True while there are deleted ones with something unread, which may still grow.
  bool enforce();
  // Closes a deleted file for its descriptor: one that was read to its end, or else the oldest. False when there is none.
  bool give_up_oldest();

 private:
  struct Deleted {
    std::shared_ptr<InputFile> file;
    InputFile::Holding holding;
  };
  std::vector<Deleted> deleted_files(bool read_ones);  // oldest first; with those that are read to their ends, or without
  void give_up(InputFile& file, std::string_view key, const std::string& cause);

  const std::uint64_t limit_;
  base::Diagnostics& diagnostics_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<InputFile>> files_;
};

}  // namespace weir::tail
