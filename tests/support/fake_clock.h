// A clock that a test sets. Thread safe.
#pragma once

#include "base/clock.h"

#include <atomic>

namespace weir::test {

class FakeClock : public base::Clock {
 public:
  explicit FakeClock(base::Timestamp wall = 1'760'000'000 * base::kSecond) : wall_(wall) {}
  [[nodiscard]] base::Timestamp wall() const override { return wall_; }
  [[nodiscard]] base::Monotonic monotonic() const override { return monotonic_; }
  void advance(base::Duration by) {
    wall_ += by;
    monotonic_ += by;
  }
  // Somebody sets the clock; no time passes.
  void set(base::Duration by) { wall_ += by; }

 private:
  std::atomic<base::Timestamp> wall_;
  std::atomic<base::Monotonic> monotonic_{base::kSecond};
};

}  // namespace weir::test
