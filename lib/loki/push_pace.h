// How fast a stream or a tenant may send once Loki has named a limit in a 429. Before that nothing is limited.
#pragma once

#include "base/clock.h"

#include <algorithm>

namespace weir::loki {

// A bucket of bytes. Not thread safe.
class Pace {
 public:
  // Loki's default limit per stream. near_limit() uses it while no limit was learnt.
  static constexpr double kUsualRate = 3.0 * (1 << 20);
  static constexpr double kUsualBurst = 15.0 * (1 << 20);

  // Loki refused at a limit of `bytes_per_second`, so its bucket is empty. We stay 5 % under its rate.
  void learn(double bytes_per_second, base::Monotonic now) {
    refill(now);
    rate_ = bytes_per_second * 0.95;
    level_ = std::min(level_, 0.0);
  }
  [[nodiscard]] bool learnt() const { return rate_ != 0; }
  void spend(std::size_t bytes, base::Monotonic now) {
    refill(now);
    level_ -= static_cast<double>(bytes);
  }
  // When the next request may go: at once while there is credit, otherwise when the debt is paid.
  [[nodiscard]] base::Monotonic ready_at(base::Monotonic now) {
    if (rate_ == 0) return now;
    refill(now);
    return level_ >= 0 ? now : now + static_cast<base::Duration>(-level_ / rate_ * base::kSecond);
  }
  // True when more than half of a burst has been spent.
  [[nodiscard]] bool near_limit(base::Monotonic now) {
    refill(now);
    return level_ < burst() / 2;
  }

 private:
  [[nodiscard]] double burst() const { return rate_ == 0 ? kUsualBurst : rate_; }
  void refill(base::Monotonic now) {
    if (now > at_)
      level_ = std::min(burst(), level_ + static_cast<double>(now - at_) * (rate_ == 0 ? kUsualRate : rate_) / base::kSecond);
    at_ = std::max(at_, now);
  }
  double rate_ = 0;
  double level_ = kUsualBurst;
  base::Monotonic at_ = 0;
};

}  // namespace weir::loki
