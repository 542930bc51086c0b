#include "spool/disk_space.h"

#include <sys/statvfs.h>

namespace weir::spool {

std::optional<DiskSpace> disk_space(const std::string& folder) {
  struct statvfs system = {};
  if (::statvfs(folder.c_str(), &system) != 0 || system.f_blocks == 0) return std::nullopt;
  return DiskSpace{.size = system.f_blocks * system.f_frsize, .free = system.f_bavail * system.f_frsize};
}

}  // namespace weir::spool
