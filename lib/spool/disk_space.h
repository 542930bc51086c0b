// The size of a file system, and how much of it is free.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir::spool {

struct DiskSpace {
  std::uint64_t size = 0, free = 0;  // bytes; free: for processes that are not root's
};

// Of the file system that `folder` is on. Nullopt: the system does not tell.
[[nodiscard]] std::optional<DiskSpace> disk_space(const std::string& folder);

}  // namespace weir::spool
