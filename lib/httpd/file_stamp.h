// Whether a file changed since it was read. For files that are looked at when somebody asks, where a watch would be one more
// descriptor and wake-up.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <string>

namespace weir::httpd {

struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified = 0, changed = 0;  // nanoseconds
  std::uint32_t mode = 0;
  int error = 0;  // errno; 0: it is there
  friend bool operator==(const FileStamp&, const FileStamp&) = default;

  // It is there, and no file: a pipe or a terminal, which can be read once, and whose reader may wait for whoever writes it; or a
  // folder.
  [[nodiscard]] bool is_no_file() const { return error == 0 && !S_ISREG(mode); }

  static FileStamp of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {.error = errno};
    const auto nanoseconds = [](const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .size = static_cast<std::uint64_t>(status.st_size),
            .modified = nanoseconds(status.st_mtim),
            .changed = nanoseconds(status.st_ctim),
            .mode = status.st_mode};
  }
};

}  // namespace weir::httpd
