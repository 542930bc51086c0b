// What a cluster of agents does to a Loki that comes back after an hour: the objects that pace a pusher, in virtual time, against a
// modelled Loki that takes so much a second and, beyond it, refuses (429, 503) or becomes slow.
#include "loki/catch_up.h"
#include "loki/gate.h"
#include "loki/pusher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

namespace weir::loki {
namespace {

using base::kHour;
using base::kMinute;
using base::kSecond;
using base::Monotonic;

constexpr int kAgents = 5000;
constexpr double kInflow = 5 << 10;           // bytes a second of one agent
constexpr double kUsual = kAgents * kInflow;  // of the cluster
constexpr base::Duration kOutage = kHour;
constexpr base::Duration kWatched = 5 * kMinute;
constexpr int kParallel = 4;
const std::size_t kProbe = PusherConfig().probe_bytes;
constexpr base::Duration kRoundTrip = kSecond / 20;
constexpr base::Duration kTimeout = 30 * kSecond;
constexpr base::Duration kLive = 10 * kSecond;  // how often an agent without a backlog sends: fewer requests, the same load
constexpr double kCaughtUp = kInflow * 30;      // bytes: what is left then is younger than half a minute

// What arrives each second, taken or not.
class Load {
 public:
  void add(Monotonic now, double bytes) {
    const auto second = static_cast<std::size_t>(now / kSecond);
    if (seconds_.size() <= second) seconds_.resize(second + 1);
    seconds_[second] += bytes;
  }
  // The highest mean over `width` seconds within [from, to).
  [[nodiscard]] double peak(Monotonic from, Monotonic to, std::size_t width) const {
    double most = 0;
    const auto end = std::min<std::size_t>(static_cast<std::size_t>(to / kSecond), seconds_.size());
    for (auto at = static_cast<std::size_t>(from / kSecond); at + width <= end; ++at) {
      double sum = 0;
      for (std::size_t i = 0; i < width; ++i) sum += seconds_[at + i];
      most = std::max(most, sum / static_cast<double>(width));
    }
    return most;
  }
  [[nodiscard]] double total(Monotonic from) const {
    double sum = 0;
    for (auto at = static_cast<std::size_t>(from / kSecond); at < seconds_.size(); ++at) sum += seconds_[at];
    return sum;
  }

 private:
  std::vector<double> seconds_;
};

enum class Over { takes_all, refuses, is_slow };

class ModelledLoki {
 public:
  ModelledLoki(double capacity, Over over) : capacity_(capacity), over_(over) {}

  struct Answer {
    bool taken;
    base::Duration after;
  };
  Answer receive(Monotonic now, double bytes) {
    tried.add(now, 1);
    if (now < kOutage) return {false, kRoundTrip};
    offered.add(now, bytes);
    if (now < kOutage + starting) {  // 503: the ring is not ready
      refused += bytes;
      return {false, kRoundTrip};
    }
    if (over_ == Over::takes_all) {
      taken.add(now, bytes);
      return {true, kRoundTrip};
    }
    // A queue that is worked off at the capacity.
    queued_ = std::max(0.0, queued_ - capacity_ * static_cast<double>(now - at_) / kSecond);
    at_ = now;
    const auto wait = static_cast<base::Duration>(queued_ / capacity_ * kSecond);
    // A bucket of two seconds; the slow one keeps people waiting until they go.
    if (over_ != Over::is_slow && wait > 2 * kSecond) {
      refused += bytes;
      return {false, kRoundTrip};
    }
    queued_ += bytes;
    taken.add(now, bytes);
    longest = std::max(longest, wait);
    if (wait + kRoundTrip > kTimeout) {
      refused += bytes;  // it is stored for nothing: the agent has gone and sends it again
      return {false, kTimeout};
    }
    return {true, wait + kRoundTrip};
  }

  base::Duration starting = 0;  // it answers, and takes nothing yet
  Load tried;                   // requests
  Load offered, taken;          // bytes
  double refused = 0;
  base::Duration longest = 0;

 private:
  const double capacity_;
  const Over over_;
  double queued_ = 0;
  Monotonic at_ = 0;
};

// A pusher as far as its pace goes: what it holds are bytes.
struct Agent {
  Agent(const CatchUp::Limits& limits, std::uint64_t seed) : gate({}, seed), pace(limits, seed) {}
  Gate gate;
  CatchUp pace;
  double waiting = 0;
  Monotonic filled_at = 0, next_live = 0, caught_up_at = 0, wake_at = base::kNever;
  int flying = 0;
};

struct Setting {
  CatchUp::Limits limits;
  double capacity;
  Over over;
  bool unreachable = false;     // the outage: connections are refused; else 503
  base::Duration starting = 0;  // 503 for that long after it
  bool spool = true;            // which tells an agent its inflow
};

struct Outcome {
  double caught_up_last = 0, caught_up_median = 0;  // minutes after the Loki came back
  ModelledLoki loki;
};

class Cluster {
 public:
  explicit Cluster(const Setting& setting) : setting_(setting), outcome_{0, 0, ModelledLoki(setting.capacity, setting.over)} {
    for (int i = 0; i < kAgents; ++i) agents_.emplace_back(setting.limits, 1000 + static_cast<std::uint64_t>(i));
    outcome_.loki.starting = setting.starting;
  }

  Outcome run() {
    // All of the outage is there to be delivered; how its end is waited for repeats itself.
    for (std::size_t i = 0; i < agents_.size(); ++i) wake(i, kOutage - kWatched + static_cast<Monotonic>(i) * kLive / kAgents);
    while (!events_.empty() && left_ > 0) {
      const Event event = events_.top();
      events_.pop();
      EXPECT_LT(event.at, 20 * kHour);
      if (event.at >= 20 * kHour) break;
      Agent& agent = agents_[event.agent];
      if (event.bytes > 0) {
        land(event);
      } else if (event.at != agent.wake_at) {
        continue;
      }
      agent.wake_at = base::kNever;
      send(event.agent, event.at);
    }
    std::vector<double> minutes;
    for (const Agent& agent : agents_) minutes.push_back(static_cast<double>(agent.caught_up_at - kOutage) / kMinute);
    std::sort(minutes.begin(), minutes.end());
    outcome_.caught_up_last = minutes.back();
    outcome_.caught_up_median = minutes[minutes.size() / 2];
    return outcome_;
  }

 private:
  struct Event {
    Monotonic at;
    std::size_t agent;
    double bytes = 0;  // of the request whose answer this is; 0: wake up
    bool taken = false;
    Monotonic sent = 0;
    friend bool operator>(const Event& a, const Event& b) { return a.at > b.at; }
  };

  void wake(std::size_t index, Monotonic at) {
    Agent& agent = agents_[index];
    if (at >= agent.wake_at) return;
    agent.wake_at = at;
    events_.push({at, index});
  }

  void land(const Event& event) {
    Agent& agent = agents_[event.agent];
    const Monotonic now = event.at;
    --agent.flying;
    if (!event.taken) {
      agent.waiting += event.bytes;
      const bool unreachable = setting_.unreachable && event.sent < kOutage;
      agent.gate.failed(event.sent, now, unreachable ? Gate::Trouble::unreachable : Gate::Trouble::passing, 0);
      agent.pace.refused(now);
      return;
    }
    agent.pace.passed(now - event.sent, now);
    if (agent.gate.passed(now) >= agent.pace.shortest_outage()) {
      if (setting_.spool) agent.pace.set_inflow(kInflow, now);
      agent.pace.begin(now, kInflow);
    }
    if (now >= kOutage && agent.caught_up_at == 0 && agent.waiting < kCaughtUp) {
      agent.caught_up_at = now;
      agent.pace.end();
      --left_;
    }
  }

  void send(std::size_t index, Monotonic now) {
    Agent& agent = agents_[index];
    agent.waiting += kInflow * static_cast<double>(now - agent.filled_at) / kSecond;
    agent.filled_at = now;
    while (agent.gate.admits(now, agent.flying) && agent.flying < kParallel && agent.waiting > 0) {
      const bool backlog = agent.waiting >= kCaughtUp;
      if (backlog && agent.pace.ready_at(now) > now) return wake(index, agent.pace.ready_at(now));
      if (!backlog && now < agent.next_live) return wake(index, agent.next_live);
      const double bytes = std::min(agent.waiting, static_cast<double>(agent.gate.failing() ? kProbe : agent.pace.request_bytes()));
      agent.waiting -= bytes;
      agent.pace.spend(static_cast<std::size_t>(bytes), now);
      agent.next_live = now + kLive;
      ++agent.flying;
      const auto answer = outcome_.loki.receive(now, bytes);
      events_.push({now + answer.after, index, bytes, answer.taken, now});
    }
    if (agent.gate.failing() && agent.flying == 0) return wake(index, std::max(now + 1, agent.gate.retry_at()));
    if (agent.flying == 0) wake(index, std::max(now + kSecond, agent.next_live));
  }

  const Setting setting_;
  std::deque<Agent> agents_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  int left_ = kAgents;
  Outcome outcome_;
};

constexpr double kMB = 1 << 20;

Outcome recover(const char* what, const Setting& setting) {
  Outcome outcome = Cluster(setting).run();
  std::printf(
      "%-62s usual load %5.1f MiB/s, taken at most %6.1f, peak of the load %6.1f (over 10 s), refused %4.1f %%; caught up: half "
      "after %5.1f min, "
      "all after %5.1f min; tried %.0f times a second\n",
      what, kUsual / kMB, setting.capacity / kMB, outcome.loki.offered.peak(kOutage, 20 * kHour, 10) / kMB,
      100 * outcome.loki.refused / outcome.loki.offered.total(kOutage), outcome.caught_up_median, outcome.caught_up_last,
      outcome.loki.tried.peak(kOutage - kMinute, kOutage, 10));
  return outcome;
}

// The operator's own bound: agents times (inflow + --drain-rate) is what the Loki is sent, whatever it would take.
TEST(RecoveryModel, TheLoadStaysWithinTheDrainRateThatWasGiven) {
  const Outcome outcome = recover("--drain-rate 5KiB, a Loki without limits", {{.rate = 5 << 10}, 1e18, Over::takes_all});
  const double limit = kAgents * (kInflow + (5 << 10));
  EXPECT_LE(outcome.loki.offered.peak(kOutage, 20 * kHour, 10), limit * 1.05);
  // An hour's worth at as much again as comes in.
  EXPECT_NEAR(outcome.caught_up_last, 60, 6);
}

// Nothing given: 1 MiB/s for each of 5,000 agents would be 5 GB/s.
TEST(RecoveryModel, WithTheDefaultsTheLoadStaysWhereTheLokiCanTakeIt) {
  const double capacity = 2 * kUsual;
  const double ideal = static_cast<double>(kOutage) / kMinute * kUsual / (capacity - kUsual);  // minutes
  const CatchUp::Limits hurried{.jitter = 4 * kSecond};                                        // as without a spool
  for (const auto& [what, setting] :
       {std::pair{"429 or 503 over twice the usual load", Setting{{}, capacity, Over::refuses}},
        std::pair{"slow over twice the usual load", Setting{{}, capacity, Over::is_slow}},
        std::pair{"429 over it, unreachable before, then 503 for 30 s", Setting{{}, capacity, Over::refuses, true, 30 * kSecond}},
        std::pair{"429 over it, unreachable before, without spools", Setting{hurried, capacity, Over::refuses, true, 0, false}}}) {
    const Outcome outcome = recover(what, setting);
    EXPECT_LE(outcome.loki.offered.peak(kOutage, 20 * kHour, 10), capacity * 1.5) << what;
    EXPECT_LE(outcome.loki.offered.peak(kOutage + 5 * kMinute, 20 * kHour, 60), capacity * 1.2) << what;
    EXPECT_LE(outcome.loki.refused / outcome.loki.offered.total(kOutage), 0.1) << what;
    EXPECT_LE(outcome.loki.longest, 10 * kSecond) << what;
    EXPECT_LE(outcome.caught_up_last, ideal * 1.7) << what;
    // An attempt to connect costs whoever refuses it a packet or two; a 503 is somebody's work.
    EXPECT_LE(outcome.loki.tried.peak(kOutage - kMinute, kOutage, 10), kAgents / (setting.unreachable ? 1.8 : 15)) << what;
    EXPECT_GE(outcome.loki.tried.peak(kOutage - kMinute, kOutage, 10), setting.unreachable ? kAgents / 2.5 : 0) << what;
  }
}

// A Loki with room: it is over soon.
TEST(RecoveryModel, ALokiWithRoomIsCaughtUpSoon) {
  const Outcome outcome = recover("429 over ten times the usual load", {{}, 10 * kUsual, Over::refuses});
  EXPECT_LE(outcome.loki.offered.peak(kOutage, 20 * kHour, 10), 10 * kUsual * 1.2);
  EXPECT_LE(outcome.caught_up_last, 25);
}

// What all of this is for: without it the first seconds bring a multiple of what the Loki can take.
TEST(RecoveryModel, WithoutAPaceTheLokiIsOverrun) {
  const double capacity = 2 * kUsual;
  const Outcome outcome = recover("--drain-rate 0, 429 over twice the usual load", {{.rate = 0}, capacity, Over::refuses});
  EXPECT_GE(outcome.loki.offered.peak(kOutage, 20 * kHour, 10), capacity * 2);
}

}  // namespace
}  // namespace weir::loki
