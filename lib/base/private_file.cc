#include "base/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace weir::base {

UniqueFd open_private(const std::string& path, bool exclusive) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  while (true) {
    UniqueFd made(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
    if (made) {
      // The umask may have taken our own rights away.
      struct stat status = {};
      if (::fstat(made.get(), &status) == 0 && (status.st_mode & 0777) != 0600) ::fchmod(made.get(), 0600);
      return made;
    }
    if (errno != EEXIST || exclusive) return made;
    UniqueFd there(::open(path.c_str(), kFlags));
    // It may have been removed between the two.
    if (there || errno != ENOENT) return there;
  }
}

}  // namespace weir::base
