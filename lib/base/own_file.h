// Files that weir writes anew as a whole: a new file beside the old one is renamed into place. rename(2) would put the new file in
// the place of anything, so each of them is asked first:
//
//   missing, a regular file   may be replaced
//   a symbolic link           is followed: what it leads to is replaced, and the link stays
//   anything else             an error that names the path and says what it is: a device, a FIFO, a socket, a folder
//
// Nothing but a regular file is ever opened, because opening a FIFO waits, and a device may act.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <string>
#include <string_view>

namespace weir::base {

// The path of the file that is to be replaced: `path` itself, or where its links lead. It need not exist. `what` is what messages
// say that they cannot do: "write metrics to '/x'". Errors: io.
Result<std::string> replaceable(const std::string& path, std::string_view what);

// Opens it; `flags` as open(2) has them, without O_CREAT. Errors: io; Error::system is ENOENT when it is missing.
Result<UniqueFd> open_own(const std::string& path, int flags, std::string_view what);

}  // namespace weir::base
