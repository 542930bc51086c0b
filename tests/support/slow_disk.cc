// libweir_slow_disk.so: preloaded into a program, it makes a disk that takes 60 s to store something.
//
//   WEIR_TEST_SLOW_DISK=FILE LD_PRELOAD=libweir_slow_disk.so weir run …
//
// While FILE exists, fsync(2) and fdatasync(2) take 60 s; they go on when FILE is removed.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace {

void wait_for_the_disk() {
  static const char* const slow = std::getenv("WEIR_TEST_SLOW_DISK");
  constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 20'000'000};
  constexpr int kPauses = 3000;
  for (int i = 0; slow != nullptr && i < kPauses && ::access(slow, F_OK) == 0; ++i) ::nanosleep(&kPause, nullptr);
}

int real(const char* name, int fd) {
  using Sync = int (*)(int);
  return reinterpret_cast<Sync>(::dlsym(RTLD_NEXT, name))(fd);
}

}  // namespace

extern "C" int fsync(int fd) {
  wait_for_the_disk();
  return real("fsync", fd);
}

extern "C" int fdatasync(int fd) {
  wait_for_the_disk();
  return real("fdatasync", fd);
}
