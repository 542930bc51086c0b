#include "base/clock.h"

#include <ctime>

#include <climits>

namespace weir::base {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * kSecond + now.tv_nsec;
}

class SystemClock : public Clock {
 public:
  [[nodiscard]] Timestamp wall() const override { return read_clock(CLOCK_REALTIME); }
  [[nodiscard]] Monotonic monotonic() const override { return read_clock(CLOCK_MONOTONIC); }
};

}  // namespace

Clock& Clock::system() {
  static SystemClock clock;
  return clock;
}

int poll_timeout(Monotonic now, Monotonic deadline) {
  if (deadline == kNever) return -1;
  if (deadline <= now) return 0;
  const Duration wait = deadline - now;
  const Duration milliseconds = wait / kMillisecond + (wait % kMillisecond != 0 ? 1 : 0);
  return milliseconds > INT_MAX ? INT_MAX : static_cast<int>(milliseconds);
}

}  // namespace weir::base
