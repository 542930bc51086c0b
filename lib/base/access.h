// Whether this process may use a file, by the rights with which it acts. access(2) asks for the rights of the user instead: of a
// service whose user has CAP_DAC_READ_SEARCH it says that no log can be read.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace weir::base {

// `how`: R_OK, W_OK and X_OK, or F_OK for whether it is there. False: errno says why.
[[nodiscard]] inline bool may_access(const std::string& path, int how) {
  return ::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0;
}

}  // namespace weir::base
