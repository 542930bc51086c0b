// How fast a backlog may be delivered, so that thousands of agents that come out of the same outage do not knock the recovering Loki
// over: the first request of it waits a random time, and then so much may be sent beside what comes in anew.
//
// An agent knows neither how many others there are nor what their Loki can take. So it begins with what it needs anyway: as much
// again as comes in, which doubles the usual load of the Loki, whatever that is. It goes up while answers come
// quickly, and down by half when Loki refuses or becomes slow; from then on it goes up in small steps, as TCP does. `rate` is the ceiling. What was refused is tried again after the waits of Gate in any case.
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
    double rate = 1 << 20;                       // bytes a second beside the inflow, at most; 0: no limit, and no wait at the start
    base::Duration jitter = 30 * base::kSecond;  // the first request waits up to that long
    base::Duration outage = base::kMinute;       // one that was shorter leaves no backlog that is worth this
  };
  CatchUp(const Limits& limits, std::uint64_t seed) : limits_(limits), random_(seed) {}

  // A backlog is there to be delivered: after an outage, or from before the start. `usual`: bytes a second of the time before, 0 if unknown;
  // the inflow is taken for that until somebody says more.
  void begin(base::Monotonic now, double usual = 0);
  void end() { active_ = false; }
  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] bool limits() const { return limits_.rate > 0; }
  [[nodiscard]] base::Duration shortest_outage() const { return limits_.outage; }
  [[nodiscard]] base::Monotonic began() const { return begun_; }
  [[nodiscard]] base::Duration wait_at_start() const { return start_ - begun_; }

  // Bytes a second that come in. While nobody says so, what may be sent in all grows with the time, so that it ends in any case.
  void set_inflow(double bytes_per_second, base::Monotonic now);

  // When the next request of the backlog may go, and that it went.
  [[nodiscard]] base::Monotonic ready_at(base::Monotonic now);
  void spend(std::size_t bytes, base::Monotonic now);
  // How much of one stream should go in one request at this pace.
  [[nodiscard]] std::size_t request_bytes() const;

  // What became of any request: it passed and took this long; or Loki refused it or did not answer.
  void passed(base::Duration took, base::Monotonic now);
  void refused(base::Monotonic now);

  [[nodiscard]] double allowed() const { return inflow() + drain_; }  // bytes a second, in all

 private:
  [[nodiscard]] double inflow() const { return inflow_.value_or(usual_); }
  [[nodiscard]] double step() const;
  [[nodiscard]] double ceiling(base::Monotonic now) const;
  void refill(base::Monotonic now);

  const Limits limits_;
  std::mt19937_64 random_;
  bool active_ = false;
  bool near_limit_ = false;  // Loki has refused
  std::optional<double> inflow_;
  double usual_ = 0;
  double drain_ = 0;
  double level_ = 0;  // bytes that may go now; a debt when negative
  base::Monotonic begun_ = 0, start_ = 0, filled_ = 0, changed_ = 0;
};

}  // namespace weir::loki
