#include "base/own_file.h"

#include "base/diagnostics.h"
#include "base/path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace weir::base {
namespace {

constexpr int kMostLinks = 40;  // as the kernel

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISCHR(mode)) return "a character device";
  if (S_ISBLK(mode)) return "a block device";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "not a file";
}

Error refused(mode_t mode, const std::string& path, const std::string& target, std::string_view what) {
  const std::string cause = path == target ? fmt::format("it is {}", kind_of(mode))
                                           : fmt::format("it leads to '{}', which is {}", escape_control(target), kind_of(mode));
  return cannot(Code::io, what, cause).with_hint("name a regular file, or one that is not there yet");
}

}  // namespace

Result<std::string> replaceable(const std::string& path, std::string_view what) {
  std::string target = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    struct stat status = {};
    if (::lstat(target.c_str(), &status) != 0) {
      if (errno == ENOENT) return target;
      return io_error(errno, what);
    }
    if (S_ISREG(status.st_mode)) return target;
    if (!S_ISLNK(status.st_mode)) return refused(status.st_mode, path, target, what);
    std::string next(PATH_MAX, '\0');
    const ssize_t size = ::readlink(target.c_str(), next.data(), next.size());
    if (size < 0) return io_error(errno, what);
    next.resize(static_cast<std::size_t>(size));
    target = next.starts_with('/') ? next : join_path(folder_of(target), next);
  }
  return io_error(ELOOP, what);
}

Result<UniqueFd> open_own(const std::string& path, int flags, std::string_view what) {
  auto target = replaceable(path, what);
  if (!target) return std::move(target).error();
  // It may have become something else since.
  UniqueFd file(::open(target->c_str(), flags | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
  if (!file) return io_error(errno, what);
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return io_error(errno, what);
  if (!S_ISREG(status.st_mode)) return refused(status.st_mode, path, *target, what);
  return file;
}

}  // namespace weir::base
