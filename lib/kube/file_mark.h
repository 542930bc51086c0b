// Whether a file has changed: its inode, size and time of change, as of when this was made. All of a file that is not there are
// equal. Kubernetes replaces the token of a pod by a rename, which changes the inode.
#pragma once

#include <sys/stat.h>

#include "base/clock.h"

#include <cstdint>
#include <string>

namespace weir::kube {

class FileMark {
 public:
  explicit FileMark(const std::string& path) {
    struct ::stat now {};
    if (path.empty() || ::stat(path.c_str(), &now) != 0) return;
    inode_ = now.st_ino;
    size_ = now.st_size;
    changed_ = now.st_mtim.tv_sec * base::kSecond + now.st_mtim.tv_nsec;
  }
  bool operator==(const FileMark&) const = default;

 private:
  std::uint64_t inode_ = 0;
  std::int64_t size_ = -1, changed_ = 0;
};

}  // namespace weir::kube
