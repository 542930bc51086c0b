// Files for their owner only (0600), whatever the umask of the process is.
#pragma once

#include "base/unique_fd.h"

#include <string>

namespace weir::base {

// Opens `path` for reading and writing, never through a symbolic link at its end; a missing file is made. `exclusive`: an
// existing file is an error (EEXIST). On failure nothing is owned and errno says why.
[[nodiscard]] UniqueFd open_private(const std::string& path, bool exclusive = false);

}  // namespace weir::base
