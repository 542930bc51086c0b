// libweir_fast_clock.so: preloaded into a program, it makes time fly: the monotonic clock runs a thousand times as fast. So a test
// of what appears after seconds need not wait for them. Waits of the system (poll, sleep) take as long as ever.
//
//   LD_PRELOAD=libweir_fast_clock.so weir replay …
#include <dlfcn.h>

#include <cstdint>
#include <ctime>

namespace {

constexpr std::int64_t kTimes = 1000;
constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* time) noexcept {
  static const auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(::dlsym(RTLD_NEXT, "clock_gettime"));
  if (const int failed = real(id, time); failed != 0 || id != CLOCK_MONOTONIC) return failed;
  static const std::int64_t start = static_cast<std::int64_t>(time->tv_sec) * kSecond + time->tv_nsec;
  const std::int64_t now = start + (static_cast<std::int64_t>(time->tv_sec) * kSecond + time->tv_nsec - start) * kTimes;
  time->tv_sec = now / kSecond;
  time->tv_nsec = now % kSecond;
  return 0;
}
