#include "monitor/health.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

namespace weir::monitor {
namespace {

using metrics::Trouble;
using DriverState = metrics::Registry::DriverState;
using Troubles = std::vector<std::pair<Trouble, std::string>>;

DriverState waits(std::string_view on, base::Duration since) { return {"chain", DriverState::waiting, on, since, 0}; }
DriverState works(base::Duration since) { return {"drain", DriverState::working, {}, since, 0}; }

TEST(Health, AThreadThatWaitsIsHealthyAndTheWaitIsNamed) {
  const std::pair<const char*, const char*> cases[] = {{"input", "input"},
                                                       {"disk", "disk"},
                                                       {"room", "room in the spool"},
                                                       {"loki", "Loki"},
                                                       {"output", "the reader of its output"},
                                                       {"lock", "another process that uses a file"},
                                                       {"pace", "the rate that was asked for"},
                                                       {"drain", "the rest to be delivered"}};
  for (const auto& [on, words] : cases) {
    const Verdict verdict = judge_health(std::vector{waits(on, base::kHour)});
    EXPECT_TRUE(verdict.good) << on;
    EXPECT_EQ(verdict.text, fmt::format("ok\nchain: waits for {}, for 60 min\n", words));
  }
}

TEST(Health, AThreadThatDoesNotMoveHangsAfterThirtySeconds) {
  EXPECT_TRUE(judge_health(std::vector{works(kHangs - 1)}).good);
  const Verdict verdict = judge_health(std::vector{waits("input", base::kSecond), works(kHangs)});
  EXPECT_FALSE(verdict.good);
  EXPECT_EQ(
      verdict.text,
      "a thread hangs: it has neither moved nor begun to wait for 30 s\nchain: waits for input, for 1 s\ndrain: has not moved "
      "for 30 s\n");
}

TEST(Health, AThreadThatHasEndedIsHealthy) {
  const Verdict verdict = judge_health(std::vector{DriverState{"chain", DriverState::ended, {}, base::kHour, 0}});
  EXPECT_TRUE(verdict.good);
  EXPECT_EQ(verdict.text, "ok\nchain: does not run\n");
  EXPECT_EQ(judge_health({}).text, "ok\n");
}

TEST(Readiness, FollowsThePhase) {
  EXPECT_EQ(judge_readiness(Phase::starting, {}).text, "the chain has not begun\n");
  EXPECT_FALSE(judge_readiness(Phase::starting, {}).good);
  EXPECT_TRUE(judge_readiness(Phase::running, {}).good);
  EXPECT_EQ(judge_readiness(Phase::ending, {}).text, "weir is ending\n");
  EXPECT_FALSE(judge_readiness(Phase::ending, {}).good);
}

TEST(Readiness, FailsWhereRecordsAreInDanger) {
  const std::pair<Trouble, std::string> delivery = {Trouble::delivery, "Loki does not answer"},
                                        room = {Trouble::room, "the spool is 85 % full"},
                                        positions = {Trouble::positions, "cannot write positions"};
  EXPECT_TRUE(judge_readiness(Phase::running, Troubles{delivery}).good);
  EXPECT_TRUE(judge_readiness(Phase::running, Troubles{room}).good);
  const Verdict both = judge_readiness(Phase::running, Troubles{delivery, room});
  EXPECT_FALSE(both.good);
  EXPECT_EQ(both.text, "Loki does not answer\nthe spool is 85 % full\n");
  const Verdict stored = judge_readiness(Phase::running, Troubles{delivery, positions});
  EXPECT_FALSE(stored.good);
  EXPECT_EQ(stored.text, "cannot write positions\n");
}

constexpr auto kUnread = metrics::gauge("weir_tail_unread_bytes", "bytes", "Bytes.");
constexpr auto kBehind = metrics::gauge("weir_tail_oldest_unread_seconds", "seconds", "Lag.");
constexpr auto kUndelivered = metrics::gauge("weir_buffer_undelivered_records", "records", "Records.");
constexpr auto kPushed = metrics::counter("weir_push_input_records_total", "records", "Records.");
constexpr auto kOldest = metrics::gauge("weir_buffer_oldest_undelivered_seconds", "seconds", "Age.");

TEST(StatusLine, SaysLagBacklogWaitsAndTroubles) {
  metrics::Registry registry;
  metrics::Block block(&registry);
  EXPECT_EQ(status_line(registry.read(), {}, {}), "running");
  auto unread = block.gauge(kUnread), behind = block.gauge(kBehind);
  EXPECT_EQ(status_line(registry.read(), std::vector{waits("input", base::kHour), works(0)}, {}), "all logs are read");
  unread.set(1'300'000);
  behind.set(4'200'000'000);
  auto records = block.gauge(kUndelivered), oldest = block.gauge(kOldest);
  EXPECT_EQ(status_line(registry.read(), {}, {}), "1.2 MiB unread, 4 s behind; all records are delivered");
  records.set(12345);
  oldest.set(3 * 60'000'000'000);
  EXPECT_EQ(status_line(registry.read(), std::vector{waits("loki", 12 * base::kSecond), works(kHangs)},
                        Troubles{{Trouble::delivery, "Loki does not answer"}}),
            "1.2 MiB unread, 4 s behind; 12,345 records to deliver, the oldest stored 3 min ago; a thread hangs: drain: has not "
            "moved for "
            "30 s; waits for Loki, for 12 s; Loki does not answer");
}

// What waits is named by what it does; threads have names that mean nothing to a reader.
TEST(StatusLine, OneWaitIsSaidOnceAndByItsLongestTime) {
  metrics::Registry registry;
  metrics::Block block(&registry);
  static_cast<void>(block.counter(kPushed));
  const std::vector drivers = {waits("loki", 12 * base::kSecond), waits("loki", 40 * base::kSecond),
                               waits("room", 9 * base::kSecond), waits("disk", base::kSecond - 1)};
  EXPECT_EQ(status_line(registry.read(), drivers, {}), "push waits for Loki, for 40 s; waits for room in the spool, for 9 s");
}

}  // namespace
}  // namespace weir::monitor
