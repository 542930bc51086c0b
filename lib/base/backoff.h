// Full jitter: the wait before attempt n is uniform in [0, min(ceiling, base * 2^n)], so that a thousand clients that failed
// together do not come back together.
// Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <random>

namespace weir::base {

// Not thread safe.
class Backoff {
 public:
  struct Limits {
    Duration base = 500 * kMillisecond;
    Duration ceiling = 60 * kSecond;
  };
  Backoff(Limits limits, std::uint64_t seed) : limits_(limits), random_(spread(seed)) {}

  // The wait before the next attempt. A `retry_after` the server gave is a floor under it, still with jitter on top
  // (up to a tenth), and may lie above the ceiling.
  [[nodiscard]] Duration next(Duration retry_after = 0);
  void reset() { attempts_ = 0; }
  [[nodiscard]] int attempts() const { return attempts_; }

 private:
  // Seeds that lie close to each other must not give waits that do.
  static std::minstd_rand::result_type spread(std::uint64_t seed);

  Limits limits_;
  std::minstd_rand random_;  // small: every stream that was refused has one
  int attempts_ = 0;
};

}  // namespace weir::base
