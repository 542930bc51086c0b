#include "pipeline/chain.h"

#include "support/collect.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

namespace weir::pipeline {
namespace {

using test::Collector;
using test::TestContext;

class Lines : public Source {
 public:
  explicit Lines(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  Result<void> run(Outlet& out, base::Stop&) override {
    for (const std::string& line : lines_) {
      Batch batch = test::batch_of({line});
      auto flow = out.emit(batch);
      if (!flow) return std::move(flow).error();
      ++emitted;
      if (*flow == Flow::done) break;
    }
    return {};
  }
  [[nodiscard]] std::string_view name() const override { return "lines"; }
  int emitted = 0;

 private:
  std::vector<std::string> lines_;
};

// Holds every batch back until it is told to let go.
class Holding : public Stage {
 public:
  Result<Flow> consume(Batch& batch, Outlet& out) override {
    if (fail) return base::fail(base::Code::io, "cannot hold");
    for (const Record& record : batch.records) held_.add_copy(record);
    if (pass) return let_go(out);
    return Flow::more;
  }
  Result<Monotonic> nudge(Monotonic now, Outlet& out) override {
    if (now < due) return due;
    auto flow = let_go(out);
    if (!flow) return std::move(flow).error();
    return base::kNever;
  }
  Result<Flushed> flush(Outlet& out, Monotonic) override {
    if (stuck) return Flushed::timed_out;
    auto flow = let_go(out);
    if (!flow) return std::move(flow).error();
    return Flushed::safe;
  }
  Result<void> finish(Outlet& out, Monotonic) override {
    ++finished;
    auto flow = let_go(out);
    if (!flow) return std::move(flow).error();
    return {};
  }
  [[nodiscard]] std::string_view name() const override { return "holding"; }
  [[nodiscard]] base::Duration batch_wait() const override { return wait; }
  [[nodiscard]] bool drives_below() const override { return drives; }
  [[nodiscard]] Counters counters() const override { return counts; }

  bool fail = false, pass = false, stuck = false, drives = false;
  Counters counts;
  base::Duration wait = 0;
  Monotonic due = 100;
  int finished = 0;

 private:
  Result<Flow> let_go(Outlet& out) {
    if (held_.empty()) return Flow::more;
    auto flow = out.emit(held_);
    held_.clear();
    return flow;
  }
  Batch held_;
};

std::string line(int number) { return R"({"timestamp":"2024-05-01T10:00:00Z","line":")" + std::to_string(number) + "\"}"; }

struct Two {
  Two() {
    auto first = std::make_unique<Holding>();
    auto last = std::make_unique<Collector>();
    holding = first.get();
    collector = last.get();
    stages.push_back(std::move(first));
    stages.push_back(std::move(last));
  }
  std::vector<std::unique_ptr<Stage>> stages;
  Holding* holding;
  Collector* collector;
};

TEST(Chain, FinishLetsOutWhatIsHeld) {
  TestContext test;
  Two two;
  Lines source({line(1), line(2), line(3)});
  const auto result = run_chain(source, two.stages, test.context);
  ASSERT_TRUE(result.ended);
  EXPECT_EQ(two.collector->lines(), (std::vector<std::string>{line(1), line(2), line(3)}));
  EXPECT_EQ(two.collector->finished(), 1);
  EXPECT_FALSE(result.reader_gone);
}

TEST(Chain, NudgeAsksEveryStageAndTellsTheNextTime) {
  Two two;
  const auto outlet = make_outlet(two.stages);
  Batch batch = test::batch_of({line(1)});
  ASSERT_TRUE(outlet->emit(batch));
  EXPECT_EQ(*outlet->nudge(99), 100);
  EXPECT_EQ(two.collector->lines().size(), 0U);
  EXPECT_EQ(*outlet->nudge(100), base::kNever);
  EXPECT_EQ(two.collector->lines().size(), 1U);
}

TEST(Chain, TheSourceMayGatherAsLongAsAnyStageWaitsThatItDrives) {
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(std::make_unique<Holding>());
  auto owned = std::make_unique<Holding>();
  owned->wait = 100;
  stages.push_back(std::move(owned));
  EXPECT_EQ(make_outlet(stages)->batch_wait(), 100);
  auto& first = dynamic_cast<Holding&>(*stages.front());
  first.drives = true;
  EXPECT_EQ(make_outlet(stages)->batch_wait(), 0);
  first.wait = 7;
  EXPECT_EQ(make_outlet(stages)->batch_wait(), 7);
}

TEST(Chain, FlushIsABarrierAndATimeOutIsAnAnswer) {
  Two two;
  const auto outlet = make_outlet(two.stages);
  Batch batch = test::batch_of({line(1)});
  ASSERT_TRUE(outlet->emit(batch));
  two.holding->stuck = true;
  EXPECT_EQ(*outlet->flush(base::kNever), Flushed::timed_out);
  two.holding->stuck = false;
  EXPECT_EQ(*outlet->flush(base::kNever), Flushed::safe);
  EXPECT_EQ(two.collector->lines().size(), 1U);
}

TEST(Chain, TheFirstErrorWinsAndEveryStageIsFinished) {
  TestContext test;
  Two two;
  two.holding->fail = true;
  Lines source({line(1), line(2)});
  const auto result = run_chain(source, two.stages, test.context);
  ASSERT_FALSE(result.ended);
  EXPECT_EQ(result.ended.error().message, "cannot hold");
  EXPECT_EQ(two.holding->finished, 1);
  EXPECT_EQ(two.collector->finished(), 1);
}

TEST(Chain, WhatWasCountedIsThereAfterAnError) {
  TestContext test;
  Two two;
  two.holding->fail = true;
  two.holding->counts.lost = 3;
  Lines source({line(1), line(2)});
  const auto result = run_chain(source, two.stages, test.context);
  ASSERT_FALSE(result.ended);
  ASSERT_EQ(result.stages.size(), 2U);
  EXPECT_EQ(result.stages[0].first, "holding");
  EXPECT_EQ(result.stages[0].second.lost, 3U);
}

TEST(Chain, DoneStopsTheSource) {
  TestContext test;
  Two two;
  two.holding->pass = true;
  two.collector->limit = 2;
  Lines source({line(1), line(2), line(3), line(4)});
  const auto result = run_chain(source, two.stages, test.context);
  ASSERT_TRUE(result.ended);
  EXPECT_TRUE(result.reader_gone);
  EXPECT_EQ(source.emitted, 2);
}

TEST(Chain, EmittingPastTheEndIsABug) {
  std::vector<std::unique_ptr<Stage>> none;
  const auto outlet = make_outlet(none);
  Batch batch = test::batch_of({line(1)});
  const auto flow = outlet->emit(batch);
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code, base::Code::bug);
}

// Waits for its wake, and nudges, until it is told to end.
class Idle : public Source {
 public:
  explicit Idle(bool driven) : driven_(driven) {}
  Result<void> run(Outlet& out, base::Stop& stop) override {
    EXPECT_EQ(out.wake_fd() >= 0, driven_);
    while (!stop.stopped()) {
      if (auto due = out.nudge(base::Clock::system().monotonic()); !due) return std::move(due).error();
      pollfd fds[2] = {{stop.fd(), POLLIN, 0}, {out.wake_fd(), POLLIN, 0}};
      ::poll(fds, 2, -1);
    }
    return {};
  }
  [[nodiscard]] std::string_view name() const override { return "idle"; }

 private:
  const bool driven_;
};

constexpr auto kNudges = metrics::counter("weir_nudged_seen_records_total", "records", "Nudges that came.", metrics::Account::in);

class Nudged : public Stage {
 public:
  explicit Nudged(const Context& context) : block_(context.metrics, context.driver) {}
  Result<Flow> consume(Batch&, Outlet&) override { return Flow::more; }
  Result<Monotonic> nudge(Monotonic, Outlet&) override {
    nudges_.add(1);
    return base::kNever;
  }
  Result<void> finish(Outlet&, Monotonic) override {
    nudges_.add(1000);
    return {};
  }
  [[nodiscard]] std::string_view name() const override { return "nudged"; }

 private:
  metrics::Block block_;
  metrics::Counter nudges_ = block_.counter(kNudges);
};

std::uint64_t nudges(const metrics::Registry& registry) { return counters_of(registry.read(), "nudged").records_in; }

TEST(Chain, WhoeverAsksWakesAnIdleChainAndSeesItsBooks) {
  TestContext test;
  metrics::Driver driver(test.registry, base::Clock::system(), "chain");
  test.context.driver = &driver;
  Idle source(true);
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(std::make_unique<Nudged>(test.context));
  std::thread chain([&] { EXPECT_TRUE(run_chain(source, stages, test.context).ended); });
  std::uint64_t before = 0;
  while (nudges(test.registry) == 0) EXPECT_TRUE(test.registry.ask(10 * base::kSecond));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(test.registry.ask(10 * base::kSecond));
    const std::uint64_t now = nudges(test.registry);
    EXPECT_GT(now, before) << "what the nudge counts is in the answer to it";
    before = now;
  }
  test.stop->request();
  chain.join();
  EXPECT_GE(nudges(test.registry), before + 1000) << "what was counted while the stages finished";
  EXPECT_TRUE(test.registry.ask(0)) << "nobody need answer any more";
}

TEST(Chain, WithoutADriverNothingIsOpened) {
  TestContext test;
  test.stop->request();
  Idle source(false);
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(std::make_unique<Nudged>(test.context));
  EXPECT_TRUE(run_chain(source, stages, test.context).ended);
}

}  // namespace
}  // namespace weir::pipeline
