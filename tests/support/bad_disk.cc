// libweir_bad_disk.so: preloaded into a program, it makes a stretch of a file unreadable, as a bad spot of a disk does.
//
//   WEIR_TEST_BAD_SPOT=PART:FROM:TO LD_PRELOAD=libweir_bad_disk.so weir tail …
//
// Files whose paths hold PART cannot be read from byte FROM to byte TO: a pread(2) that begins there fails with EIO, one that comes
// to it ends before it.
#include <dlfcn.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Spot {
  std::string part;
  off_t from = 0, to = 0;
};

Spot read_spot() {
  Spot spot;
  const char* text = std::getenv("WEIR_TEST_BAD_SPOT");
  if (text == nullptr) return spot;
  const std::string_view all(text);
  const std::size_t second = all.rfind(':'), first = all.rfind(':', second - 1);
  spot.part = all.substr(0, first);
  spot.from = std::atoll(text + first + 1);
  spot.to = std::atoll(text + second + 1);
  return spot;
}

bool is_bad(int fd, const Spot& spot) {
  if (spot.to == 0) return false;
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = ::readlink(link, path, sizeof path);
  return size > 0 && std::string_view(path, static_cast<std::size_t>(size)).find(spot.part) != std::string_view::npos;
}

}  // namespace

extern "C" ssize_t pread(int fd, void* to, size_t size, off_t offset) {
  using Pread = ssize_t (*)(int, void*, size_t, off_t);
  static const auto real = reinterpret_cast<Pread>(::dlsym(RTLD_NEXT, "pread"));
  static const Spot spot = read_spot();
  if (offset < spot.to && offset + static_cast<off_t>(size) > spot.from && is_bad(fd, spot)) {
    if (offset >= spot.from) {
      errno = EIO;
      return -1;
    }
    size = std::min(size, static_cast<size_t>(spot.from - offset));
  }
  return real(fd, to, size, offset);
}
