// The waits of one node, and what 5,000 nodes ask of an API server: the real machines, on a virtual clock, in front of a virtual
// server.
#include "kube/watch_pace.h"

#include "kube/watch_machine.h"
#include "support/collect.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

namespace weir::kube {
namespace {

using base::kHour;
using base::kMillisecond;
using base::kMinute;
using base::kSecond;
using End = WatchPace::End;
using Step = WatchPace::Step;

TEST(WatchPaceTest, WhatFollowsWhat) {
  constexpr base::Monotonic kStart = 1000 * kSecond;
  constexpr base::Duration kLong = 5 * kMinute, kAtOnce = kMillisecond;
  struct Case {
    const char* name;
    bool of_watch;
    End end;
    base::Duration lasted;
    Step next;
    base::Duration longest;  // the wait is below this
  };
  const Case cases[] = {
      {"a list", false, End::whole, kAtOnce, Step::watch, 0},
      {"a watch at its time", true, End::whole, kLong, Step::watch, 0},
      {"a watch that is cut", true, End::cut, kLong, Step::watch, WatchPace::kFirstWait},
      {"a watch that dies at once", true, End::cut, kAtOnce, Step::watch, WatchPace::kFirstWait},
      {"too old", true, End::gone, kAtOnce, Step::list, WatchPace::kFirstWait},
      {"not liked", true, End::refused, kAtOnce, Step::list, WatchPace::kFirstWait},
      {"no right to watch", true, End::failed, kAtOnce, Step::watch, WatchPace::kFirstWait},
      {"nobody there for a watch", true, End::unreachable, kAtOnce, Step::watch, WatchPace::kFirstWait},
      {"nobody there for a list", false, End::unreachable, kAtOnce, Step::list, WatchPace::kFirstWait},
      {"a bad list", false, End::failed, kAtOnce, Step::list, WatchPace::kFirstWait},
  };
  for (const Case& one : cases) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      WatchPace pace(seed * 0x9e3779b97f4a7c15);
      base::Monotonic now = kStart;
      EXPECT_EQ(pace.next(), Step::list);
      EXPECT_LE(pace.at(), now);
      pace.began(now);
      if (one.of_watch) {
        pace.ended(End::whole, now);
        pace.began(now);
      }
      now += one.lasted;
      pace.ended(one.end, now);
      EXPECT_EQ(pace.next(), one.next) << one.name;
      EXPECT_GE(pace.at(), one.longest == 0 ? 0 : now) << one.name;
      EXPECT_LE(pace.at(), now + one.longest) << one.name;
    }
  }
}

TEST(WatchPaceTest, ListsHaveABudget) {
  WatchPace pace(1);
  base::Monotonic now = 0;
  std::vector<base::Monotonic> lists;
  while (now < kHour) {
    now = std::max(now, pace.at());
    lists.push_back(now);
    pace.began(now);
    pace.ended(End::failed, now);
  }
  ASSERT_GT(lists.size(), 10U);
  for (std::size_t i = 2; i < lists.size(); ++i) EXPECT_GE(lists[i] - lists[i - 2], WatchPace::kListEvery);
}

TEST(WatchPaceTest, WhatReachesNobodyCostsNoBudget) {
  WatchPace pace(1);
  base::Monotonic now = 0;
  for (int i = 0; i < 1000; ++i) {
    const base::Monotonic at = std::max(now, pace.at());
    EXPECT_LE(at - now, WatchPace::kLongestAway);
    now = at;
    pace.began(now);
    pace.ended(End::unreachable, now);
  }
  EXPECT_LT(now, 1000 * WatchPace::kLongestAway * 6 / 10);
}

TEST(WatchPaceTest, AWatchThatFailsAgainAndAgainBeginsWithAList) {
  WatchPace pace(1);
  pace.began(0);
  pace.ended(End::whole, 0);
  for (int i = 0; i < WatchPace::kMostFailures; ++i) {
    EXPECT_EQ(pace.next(), Step::watch);
    pace.began(pace.at());
    pace.ended(End::failed, pace.at());
  }
  EXPECT_EQ(pace.next(), Step::list);
}

TEST(WatchPaceTest, AnotherTokenIsTriedAtOnce) {
  WatchPace pace(1);
  base::Monotonic now = 0;
  for (int i = 0; i < 10; ++i) {
    now = std::max(now, pace.at());
    pace.began(now);
    pace.ended(End::failed, now);
  }
  ASSERT_GT(pace.at(), now);
  pace.token_changed(now);
  EXPECT_LE(pace.at(), now);
}

TEST(WatchPaceTest, WatchesHaveLengthsOfTheirOwn) {
  WatchPace pace(1);
  std::map<base::Duration, int> lengths;
  for (int i = 0; i < 1000; ++i) ++lengths[pace.watch_length()];
  EXPECT_GE(lengths.begin()->first, WatchPace::kShortestWatch);
  EXPECT_LE(lengths.rbegin()->first, WatchPace::kLongestWatch);
  EXPECT_GT(lengths.size(), 200U);
}

// -- many nodes --

// Runs what is to happen in the order of its time.
class World {
 public:
  test::FakeClock clock;
  [[nodiscard]] base::Monotonic now() const { return clock.monotonic(); }
  void at(base::Monotonic time, std::function<void()> what) { due_.push({time, ++number_, std::move(what)}); }
  void run_until(base::Monotonic end) {
    while (!due_.empty() && due_.top().time <= end) {
      const auto what = std::move(const_cast<Due&>(due_.top()).what);  // the order does not depend on it
      clock.advance(std::max<base::Duration>(0, due_.top().time - now()));
      due_.pop();
      what();
    }
    clock.advance(std::max<base::Duration>(0, end - now()));
  }

 private:
  struct Due {
    base::Monotonic time;
    std::uint64_t number;  // of one time, the first comes first
    std::function<void()> what;
    bool operator<(const Due& other) const { return std::pair(time, number) > std::pair(other.time, other.number); }
  };
  std::priority_queue<Due> due_;
  std::uint64_t number_ = 0;
};

class VirtualClient;

// What each node's requests meet.
struct VirtualServer {
  enum class Mood { well, away, every_answer_500, no_list_whole, watches_die, watches_too_old, no_right_to_watch, hangs };
  World& world;
  Mood mood = Mood::well;
  std::uint64_t version = 100;                  // of all; watches from an older one are told that it is gone
  std::map<std::int64_t, std::size_t> reached;  // requests that reached it, by second
  std::size_t lists = 0, watches = 0, refused = 0;
  std::set<VirtualClient*> open;  // watches

  void stop();
};

class VirtualClient : public http::AsyncClient {
 public:
  explicit VirtualClient(VirtualServer& server) : server_(server) {}

  void submit(http::Request request, Completion completion) override { submit(std::move(request), {}, std::move(completion)); }

  void submit(http::Request request, http::OnBody on_body, Completion completion) override {
    on_body_ = std::move(on_body);
    completion_ = std::move(completion);
    const bool watch = request.query.find("watch=1") != std::string::npos;
    const base::Duration timeout = request.timeout;
    if (watch) {
      // A server that hangs is given up soon after the time that it was asked for.
      EXPECT_NE(request.query.find(fmt::format("timeoutSeconds={}", (timeout - WatchMachine::kMargin) / kSecond)),
                std::string::npos);
    }
    const bool away = server_.mood == VirtualServer::Mood::away;
    if (away) {
      ++server_.refused;
    } else {
      ++server_.reached[server_.world.now() / kSecond];
      ++(watch ? server_.watches : server_.lists);
    }
    const auto from = request.query.find("resourceVersion=");
    const std::uint64_t version = std::stoull(request.query.substr(from + 16));
    after(20 * kMillisecond, [this, watch, version, timeout] { answer(watch, version, timeout); });
  }
  void abandon() override {
    after(0, [this, number = answers_] {
      if (number == answers_ && completion_) finish(base::fail(base::Code::interrupted, "stopped"));
    });
  }
  void wake() override {
    after(0, [this] { turn(); });
  }

  void drive(WatchMachine& machine) {
    machine_ = &machine;
    machine.attach(*this);
    turn();
  }
  void turn() {
    const base::Monotonic due = machine_->timer(server_.world.now());
    if (due == base::kNever) return;
    server_.world.at(std::max(due, server_.world.now() + 1), [this, number = ++turns_] {
      if (number == turns_) turn();
    });
  }
  void finish(base::Result<http::Response> result) {
    server_.open.erase(this);
    ++answers_;
    const auto completion = std::exchange(completion_, {});
    completion(std::move(result));
    turn();
  }

 private:
  using Mood = VirtualServer::Mood;
  void after(base::Duration wait, std::function<void()> what) { server_.world.at(server_.world.now() + wait, std::move(what)); }
  void done(int status, std::string_view body) {
    http::Response response;
    response.status = status;
    if (on_body_(status, {}) && on_body_(status, body)) return finish(std::move(response));
    finish(base::fail(base::Code::interrupted, "stopped"));
  }
  void answer(bool watch, std::uint64_t version, base::Duration timeout) {
    const std::string list = fmt::format(
        R"({{"kind":"PodList","metadata":{{"resourceVersion":"{}"}},"items":[{{"metadata":{{"uid":"u"}}}}]}})", server_.version);
    switch (server_.mood) {
      case Mood::away:
        return finish(base::fail(base::Code::unreachable, "cannot reach it: Connection refused"));
      case Mood::every_answer_500:
        return done(500, "no");
      case Mood::hangs:
        return after(timeout, [this, number = answers_] {
          if (number != answers_) return;
          base::Error error = base::fail(base::Code::network, "cannot reach it: no answer in time");
          error.system = ETIMEDOUT;
          finish(std::move(error));
        });
      case Mood::no_list_whole:
        return watch ? done(200, "") : done(200, "{");
      case Mood::watches_die:
        return watch ? done(200, "") : done(200, list);
      case Mood::watches_too_old:
        return watch ? done(410, "") : done(200, list);
      case Mood::no_right_to_watch:
        return watch ? done(403, "") : done(200, list);
      case Mood::well:
        break;
    }
    if (!watch) return done(200, list);
    if (version < server_.version) return done(200, R"({"type":"ERROR","object":{"code":410,"message":"too old"}})");
    if (!on_body_(200, {})) return;
    server_.open.insert(this);
    after(timeout - WatchMachine::kMargin, [this, number = answers_] {
      if (number == answers_) finish(http::Response{.status = 200});
    });
  }

  VirtualServer& server_;
  WatchMachine* machine_ = nullptr;
  http::OnBody on_body_;
  Completion completion_;
  std::uint64_t turns_ = 0, answers_ = 0;
};

void VirtualServer::stop() {
  mood = Mood::away;
  for (VirtualClient* const client : std::vector(open.begin(), open.end()))
    client->finish(base::fail(base::Code::network, "cannot go on: reset"));
}

class NoHandler : public ResourceHandler {
 public:
  bool item(std::string_view) override { return true; }
  bool deleted(std::string_view) override { return true; }
};

struct Node {
  Node(VirtualServer& server, base::Diagnostics& diagnostics, std::uint64_t seed)
      : client(server), machine(spec(), config(), handler, server.world.clock, diagnostics, seed) {}
  static ResourceWatchSpec spec() { return {.path = "/api/v1/pods", .metadata_only = true}; }
  static http::ClientConfig config() {
    http::ClientConfig config;
    config.base = *http::parse_url("http://api:6443");
    return config;
  }
  NoHandler handler;
  VirtualClient client;
  WatchMachine machine;
};

class Fleet {
 public:
  explicit Fleet(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      nodes_.push_back(std::make_unique<Node>(server, diagnostics_, (i + 1) * 0x9e3779b97f4a7c15));
    }
    // As a DaemonSet that is rolled out: all within a minute.
    for (std::size_t i = 0; i < size; ++i) {
      world.at(kSecond + static_cast<base::Duration>(i) * kMinute / static_cast<base::Duration>(size),
               [node = nodes_[i].get()] { node->client.drive(node->machine); });
    }
  }
  [[nodiscard]] std::size_t fresh() const {
    std::size_t count = 0;
    for (const auto& node : nodes_) count += node->machine.status().fresh ? 1 : 0;
    return count;
  }
  // From `begin` on until now, per second.
  struct Load {
    std::size_t peak = 0;
    double mean = 0;
  };
  [[nodiscard]] Load load(base::Monotonic begin) const {
    Load load;
    std::size_t all = 0;
    for (const auto& [second, count] : server.reached) {
      if (second < begin / kSecond) continue;
      load.peak = std::max(load.peak, count);
      all += count;
    }
    load.mean = static_cast<double>(all) * kSecond / static_cast<double>(world.now() - begin);
    return load;
  }

  World world;
  VirtualServer server{world};

 private:
  test::RememberingDiagnostics diagnostics_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST(WatchLoadTest, OneNodeAsksForLessThanOneListAMinuteWhateverItIsAnswered) {
  using Mood = VirtualServer::Mood;
  struct Case {
    const char* name;
    Mood mood;
  };
  for (const Case& one : {Case{"every answer is 500", Mood::every_answer_500}, Case{"no list is whole", Mood::no_list_whole},
                          Case{"each watch dies at once", Mood::watches_die}, Case{"each watch is too old", Mood::watches_too_old},
                          Case{"no right to watch", Mood::no_right_to_watch}, Case{"the server hangs", Mood::hangs}}) {
    Fleet fleet(1);
    fleet.server.mood = one.mood;
    fleet.world.run_until(10 * kMinute);
    EXPECT_LE(fleet.server.lists, 10U) << one.name;
    fleet.world.run_until(10 * kHour);
    EXPECT_LT(fleet.server.lists, 10U * 60U) << one.name;
    EXPECT_LT(fleet.server.watches, 10U * 60U * 3U) << one.name;
    // It does not give up either.
    EXPECT_GT(fleet.server.lists + fleet.server.watches, 10U * 20U) << one.name;
    EXPECT_EQ(fleet.fresh(), 0U) << one.name;
    fleet.server.mood = Mood::well;
    fleet.world.run_until(10 * kHour + 5 * kMinute);
    EXPECT_EQ(fleet.fresh(), 1U) << one.name;
  }
}

// A server that hangs while watches are open: libcurl ends them at their time.
TEST(WatchLoadTest, AWatchHasATimeOfItsOwn) {
  Fleet fleet(1);
  fleet.world.run_until(2 * kSecond);
  ASSERT_EQ(fleet.fresh(), 1U);
  base::Error late = base::fail(base::Code::network, "cannot reach it: no answer in time");
  late.system = ETIMEDOUT;
  fleet.server.mood = VirtualServer::Mood::hangs;
  (*fleet.server.open.begin())->finish(std::move(late));
  EXPECT_EQ(fleet.fresh(), 0U);
  fleet.world.run_until(kHour);
  EXPECT_LT(fleet.server.lists, 50U);
  fleet.server.mood = VirtualServer::Mood::well;
  fleet.world.run_until(kHour + 15 * kMinute);
  EXPECT_EQ(fleet.fresh(), 1U);
}

TEST(WatchLoadTest, FiveThousandNodesAfterARestartOfTheServer) {
  constexpr std::size_t kNodes = 5000;
  struct Case {
    const char* name;
    base::Duration away;
    bool forgets;  // no watch can go on: each needs a list
    std::size_t peak;
    base::Duration until_fresh;
  };
  for (const Case& one : {Case{"away for 1 s, all list again", kSecond, true, 1700, kMinute},
                          Case{"away for 30 s, watches go on", 30 * kSecond, false, 500, kMinute},
                          Case{"away for 30 s, all list again", 30 * kSecond, true, 1000, kMinute}}) {
    Fleet fleet(kNodes);
    constexpr base::Monotonic kStop = 20 * kMinute;
    fleet.world.run_until(kStop);
    ASSERT_EQ(fleet.fresh(), kNodes) << one.name;
    const auto steady = fleet.load(10 * kMinute);
    const std::size_t lists_before = fleet.server.lists;
    fleet.server.stop();
    fleet.world.run_until(kStop + one.away);
    const std::size_t refused = fleet.server.refused;
    fleet.server.mood = VirtualServer::Mood::well;
    if (one.forgets) ++fleet.server.version;
    const base::Monotonic back = fleet.world.now();
    base::Duration half = 0, all = 0;
    while (all == 0 && fleet.world.now() < back + 10 * kMinute) {
      fleet.world.run_until(fleet.world.now() + kSecond);
      const std::size_t fresh = fleet.fresh();
      if (half == 0 && fresh >= kNodes / 2) half = fleet.world.now() - back;
      if (fresh == kNodes) all = fleet.world.now() - back;
    }
    fleet.world.run_until(back + kMinute);
    const auto load = fleet.load(back);
    std::printf(
        "%-32s peak %4zu/s, mean of the minute after %3.0f/s; half fresh after %2lld s, all after %2lld s; refused %zu; steady "
        "peak %zu/s, mean %.1f/s\n",
        one.name, load.peak, load.mean, static_cast<long long>(half / kSecond), static_cast<long long>(all / kSecond), refused,
        steady.peak, steady.mean);
    EXPECT_LE(load.peak, one.peak) << one.name;
    EXPECT_LE(all, one.until_fresh) << one.name;
    EXPECT_GT(all, 0) << one.name;
    EXPECT_LE(steady.mean, 15.0) << one.name;
    EXPECT_LE(steady.peak, 60U) << one.name;
    EXPECT_EQ(fleet.server.lists - lists_before, one.forgets ? kNodes : 0U) << one.name;
  }
}

}  // namespace
}  // namespace weir::kube
