#include "spool/reserve.h"

#include "base/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace weir::spool {
namespace {

constexpr std::uint64_t kLeast = 1 << 20;

std::string path_of(const std::string& spool) { return spool + "-reserve"; }

std::uint64_t size_of(const std::string& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  return static_cast<std::uint64_t>(status.st_size);
}

bool no_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

}  // namespace

Reserve::Reserve(const std::string& spool) : path_(path_of(spool)) {}

bool Reserve::make(std::uint64_t bytes) {
  const std::uint64_t there = size_of(path_);
  if (there >= bytes && there > 0) return true;
  const base::UniqueFd file = base::open_private(path_);
  if (!file) return !no_room(errno);
  const std::uint64_t wanted = std::bit_ceil(std::max(bytes, kLeast));
  // What cannot be had as a whole is given back: half a reserve would take room and promise nothing.
  const int error = ::posix_fallocate(file.get(), static_cast<off_t>(there), static_cast<off_t>(wanted - there));
  if (error == 0) return true;
  if (there == 0) {
    ::unlink(path_.c_str());
  } else if (::ftruncate(file.get(), static_cast<off_t>(there)) != 0) {
    return false;
  }
  return !no_room(error);
}

bool Reserve::release(const std::string& spool) {
  const std::string path = path_of(spool);
  return size_of(path) > 0 && ::unlink(path.c_str()) == 0;
}

std::uint64_t Reserve::size(const std::string& spool) { return size_of(path_of(spool)); }

}  // namespace weir::spool
