// What a process did since its last commit to a spool, in a file beside the spool that is written often and never synced.
//
// It survives the death of the process, because the kernel has the bytes, but not a power cut. Writing it never waits for the disk.
// So nothing that was acknowledged is sent again after a SIGKILL, although the spool is committed to at most once a second. The
// file is valid only until the next boot, because a power cut may undo the commits of the spool that it builds on. Two slots are
// written in turn, so that an incomplete write leaves the other slot valid. Form: weir-spool.5.
#pragma once

#include "base/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::spool {

// One process writes: the one that holds the lock of the writer or of the consumer. Any process may read. Not thread safe.
class RecentFile {
 public:
  static constexpr std::size_t kMost = (1 << 20) - 4096;  // bytes of content

  // The file is opened, or made (0600), by the first write().
  RecentFile() = default;
  RecentFile(std::string path, std::uint64_t spool) : path_(std::move(path)), spool_(spool) {}

  // Replaces the content. False when that is not possible: commit to the spool instead.
  [[nodiscard]] bool write(std::string_view content);

  // The latest content for this spool since the machine was booted; "" when there is none.
  static std::string read(const std::string& path, std::uint64_t spool);

 private:
  bool open();

  std::string path_;
  std::uint64_t spool_ = 0;
  base::UniqueFd fd_;
  bool opened_ = false;
  std::uint64_t sequence_ = 0;
  std::string slot_;
};

// A number that identifies this boot of the machine, 0 when it is unknown.
std::uint64_t this_boot();

// The recent file of the writer (positions of blocks that it passed on without storing them) and of a consumer (acknowledgements).
std::string writer_recent_path(const std::string& spool);
std::string consumer_recent_path(const std::string& spool, std::string_view name);

}  // namespace weir::spool
