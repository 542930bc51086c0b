// What a process has done since its last commit into a spool, in a file beside it that is written often and never synced.
//
// It survives the death of the process (the kernel has the bytes) and not that of the machine, and costs no wait for the disk: a
// SIGKILL then repeats nothing that was acknowledged, while the spool itself is committed to at most once a second. What it says
// counts only until the next boot, because a power cut may undo commits of the spool that it builds on. Two slots are written in
// turn, so that a write that was cut leaves the one before it. Form: weir-spool.5.
#pragma once

#include "base/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::spool {

// One process writes (it holds the lock of what the file speaks of), any may read. Not thread safe.
class RecentFile {
 public:
  static constexpr std::size_t kMost = (1 << 20) - 4096;  // bytes of what is kept

  // The file is opened, or made (0600), by the first write().
  RecentFile() = default;
  RecentFile(std::string path, std::uint64_t spool) : path_(std::move(path)), spool_(spool) {}

  // Keeps `content` in place of what was kept before. False when that is not possible: commit instead.
  [[nodiscard]] bool write(std::string_view content);

  // What was kept last for this spool since the machine was started; "" for nothing.
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

// A number for this run of the machine, 0 when the kernel tells none.
std::uint64_t this_boot();

// Of the writer (positions of what it has handed on and not stored) and of a consumer (its acknowledgements).
std::string writer_recent_path(const std::string& spool);
std::string consumer_recent_path(const std::string& spool, std::string_view name);

}  // namespace weir::spool
