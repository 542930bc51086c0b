#include "spool/bell.h"

#include "spool/lock_file.h"
#include "spool/spool_file.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace weir::spool {

base::Result<Bell> Bell::listen(const std::string& spool) {
  const std::string path = writer_lock_path(real_path(spool));
  base::UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return base::io_error(errno, fmt::format("watch '{}'", path));
  if (::inotify_add_watch(fd.get(), path.c_str(), IN_ATTRIB) < 0) return base::io_error(errno, fmt::format("watch '{}'", path));
  return Bell(std::move(fd));
}

bool Bell::was_rung() {
  if (!fd_) return false;
  bool rung = false;
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(fd_.get(), events.data(), events.size()) > 0) rung = true;
  return rung;
}

base::Result<void> ring(const std::string& spool) {
  const std::string path = writer_lock_path(real_path(spool));
  if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0 || errno == ENOENT) return {};
  return base::io_error(errno, fmt::format("set the time of '{}'", path));
}

}  // namespace weir::spool
