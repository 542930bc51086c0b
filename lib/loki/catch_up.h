// How fast a backlog may be delivered, so that thousands of agents that come out of the same outage do not overload the
// recovering Loki. The first request of the backlog waits a random time. After that, a limited rate of it goes out beside the
// new records.
//
// An agent does not know how many others there are, or what their Loki can take. So it begins with a rate that it needs anyway:
// as much again as comes in. That doubles the usual load of the Loki, however large it is. The rate grows while answers come
// quickly. It halves when Loki refuses or becomes slow; after that it grows in small steps, as TCP does. `rate` is the ceiling.
// Gate's waits come on top.
//
// States:
// - inactive: nothing is limited. With `rate` 0 it stays inactive.
// - waiting: active, and the random wait of up to `jitter` is not over.
// - paced: active. A bucket fills with allowed() bytes per second, up to one second's worth. A request may go while the bucket
//   is not in debt.
//
// `near_limit_` marks that Loki has refused since begin(): the rate then grows in small steps.
//
// Events: begin() starts the wait. set_inflow() sets the inflow. spend() takes from the bucket. passed() and refused() change
// the rate, an answer after 5 s or more counts as a refusal, one between 1 s and 5 s changes nothing. end() makes it inactive.
//
// Invariants:
// - The rate of the backlog stays between a quarter of its first value and the ceiling.
// - It grows at most once in 15 s and halves at most once in 5 s, because requests that were in flight together are refused
//   together.
// - While the inflow is unknown, the ceiling grows by `rate` every minute, so that catching up ends even if the guess was too
//   low.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>

namespace weir::loki {

// A pure state machine, not thread safe.
class CatchUp {
 public:
  struct Limits {
    double rate = 1 << 20;                       // the most, in bytes per second above the inflow; 0: no limit, no wait
    base::Duration jitter = 30 * base::kSecond;  // the longest wait before the first request
    base::Duration outage = base::kMinute;       // a shorter outage leaves no backlog worth pacing
  };
  CatchUp(const Limits& limits, std::uint64_t seed) : limits_(limits), random_(seed) {}

  // There is a backlog, from an outage or from before the start. `usual`: bytes per second before the outage, 0 if unknown. It
  // stands for the inflow until set_inflow() is called.
  void begin(base::Monotonic now, double usual = 0);
  void end() { active_ = false; }
  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] bool limits() const { return limits_.rate > 0; }
  [[nodiscard]] base::Duration shortest_outage() const { return limits_.outage; }
  [[nodiscard]] base::Monotonic began() const { return begun_; }
  [[nodiscard]] base::Duration wait_at_start() const { return start_ - begun_; }

  // The inflow in bytes per second. Until the first call the ceiling grows with time.
  void set_inflow(double bytes_per_second, base::Monotonic now);

  // When the next request of the backlog may go. spend() says that one went.
  [[nodiscard]] base::Monotonic ready_at(base::Monotonic now);
  void spend(std::size_t bytes, base::Monotonic now);
  // How many bytes of one stream should go in one request at this rate.
  [[nodiscard]] std::size_t request_bytes() const;

  // The result of any request: it passed and took so long, or Loki refused it or did not answer.
  void passed(base::Duration took, base::Monotonic now);
  void refused(base::Monotonic now);

  [[nodiscard]] double allowed() const { return inflow() + drain_; }  // bytes per second, inflow included

 private:
  [[nodiscard]] double inflow() const { return inflow_.value_or(usual_); }
  [[nodiscard]] double step() const;
  [[nodiscard]] double ceiling(base::Monotonic now) const;
  void refill(base::Monotonic now);

  const Limits limits_;
  std::mt19937_64 random_;
  bool active_ = false;
  bool near_limit_ = false;  // Loki has refused since begin()
  std::optional<double> inflow_;
  double usual_ = 0;
  double drain_ = 0;
  double level_ = 0;  // bytes that may go; negative: a debt
  base::Monotonic begun_ = 0, start_ = 0, filled_ = 0, changed_ = 0;
};

}  // namespace weir::loki
