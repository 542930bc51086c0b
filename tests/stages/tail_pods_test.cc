// tail with a filter of pods: what is not opened, and what becomes of a log when the answer changes.
#include "spool/keeper.h"
#include "stages/tail_source.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace weir::stages {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Answer = tail::PodFilter::Answer;
using Lines = std::vector<std::string>;

class FakeFilter : public tail::PodFilter {
 public:
  Verdict ask(const record::PodPath& pod, base::Monotonic now) override {
    const std::lock_guard lock(mutex_);
    const auto known = verdicts_.find(pod.uid);
    if (known == verdicts_.end()) return {};
    if (known->second.answer == Answer::later && now >= known->second.ask_at) return {};
    return known->second;
  }
  void listen(const base::Wake& wake) override {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(&wake);
  }
  void unlisten(const base::Wake& wake) override {
    const std::lock_guard lock(mutex_);
    std::erase(listeners_, &wake);
  }
  void set(const std::string& uid, Answer answer, base::Monotonic ask_at = base::kNever) {
    const std::lock_guard lock(mutex_);
    verdicts_[uid] = {answer, ask_at};
    for (const base::Wake* const wake : listeners_) wake->ring();
  }
  [[nodiscard]] std::size_t listeners() const {
    const std::lock_guard lock(mutex_);
    return listeners_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Verdict, std::less<>> verdicts_;
  std::vector<const base::Wake*> listeners_;
};

std::string cri(std::string_view text) { return fmt::format("2024-05-01T10:00:00Z stdout F {}\n", text); }

class TailPods : public testing::Test {
 protected:
  TailPods() {
    context.context.clock = &base::Clock::system();
    spec.read.follow = true;
    spec.read.rotation_grace = spec.read.deletion_grace = 50 * base::kMillisecond;
    spec.times.gather = spec.times.spacing = 20 * base::kMillisecond;
    spec.times.rescan = 50 * base::kMillisecond;
    spec.pods = filter;
    spec.inputs = {dir / "pods"};
  }
  ~TailPods() override {
    stop();
    if (source != nullptr) test::expect_balance(source->counters());
    source.reset();
    EXPECT_EQ(filter->listeners(), 0U);
  }
  // Keeps positions from now on.
  void track(record::Positions positions = {}) {
    spec.checkpoint = dir / "spool.db";
    spec.positions = std::move(positions);
  }
  void start() {
    chain.clear();
    auto owned = std::make_unique<test::Collector>();
    collector = owned.get();
    chain.push_back(std::move(owned));
    source = make_tail_source(spec, context.context);
    thread = std::thread([this] { result = pipeline::run_chain(*source, chain, context.context).ended; });
  }
  void stop() {
    if (!thread.joinable()) return;
    context.stop->request();
    thread.join();
    EXPECT_TRUE(result);
  }
  Lines lines() const {
    Lines texts;
    for (const std::string& json : collector->lines()) {
      const std::size_t at = json.find("\"line\":\"") + 8;
      texts.push_back(json.substr(at, json.find('"', at) - at));
    }
    return texts;
  }
  void wait(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << testing::PrintToString(collector->all());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  void wait_for(std::size_t count) {
    wait([&] { return collector->lines().size() >= count; });
  }
  [[nodiscard]] std::string log(std::string_view uid) const { return dir / fmt::format("pods/shop_web_{}/app/0.log", uid); }
  void write(std::string_view uid, std::string_view text) {
    dir.write(fmt::format("pods/shop_web_{}/app/0.log", uid), cri(text), true);
  }
  static bool is_open(const std::string& path) {
    std::error_code ignored;
    for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
      if (std::filesystem::read_symlink(fd.path(), ignored) == path) return true;
    }
    return false;
  }
  // What the keeper of the chain has stored by now, when everything was safe.
  [[nodiscard]] record::Positions stored(const std::string& before = "") const {
    spool::Keeper keeper(dir / "spool.db");
    EXPECT_TRUE(keeper.load(before));
    pipeline::Batch batch = test::batch_of(collector->all());
    for (const record::Record& record : batch.records) {
      const auto verdict = keeper.track(record);
      EXPECT_TRUE(verdict) << verdict.error().message;
      const bool moves = !record.is_marker() || record.marker->type == record::Marker::Type::position ||
                         record.marker->type == record::Marker::Type::done;
      if (record.source && moves) keeper.advance(record.source);
    }
    snapshot = keeper.snapshot();
    return keeper.positions();
  }

  test::TempDir dir;
  test::TestContext context;
  std::shared_ptr<FakeFilter> filter = std::make_shared<FakeFilter>();
  TailSpec spec;
  test::Collector* collector = nullptr;
  std::vector<std::unique_ptr<pipeline::Stage>> chain;
  std::unique_ptr<pipeline::Source> source;
  base::Result<void> result;
  std::thread thread;
  mutable std::string snapshot;
};

TEST_F(TailPods, AnExcludedLogIsNotOpenedAndReadFromThenOnWhenItIsNotExcludedAnyMore) {
  filter->set("out", Answer::leave);
  write("out", "secret");
  write("in", "a1");
  start();
  wait_for(1);
  write("out", "secret too");
  write("in", "a2");
  wait_for(2);
  EXPECT_FALSE(is_open(log("out")));
  EXPECT_TRUE(is_open(log("in")));
  filter->set("out", Answer::read);
  wait([&] { return is_open(log("out")); });
  // Where it begins is found out behind the opening.
  wait([&] {
    write("out", "open");
    return lines().size() > 2;
  });
  EXPECT_THAT(lines(), testing::Each(testing::AnyOf("a1", "a2", "open")));
}

TEST_F(TailPods, ALogThatBecomesExcludedIsClosed) {
  write("u", "a1");
  start();
  wait_for(1);
  filter->set("u", Answer::leave);
  wait([&] { return !is_open(log("u")); });
  write("u", "secret");
  filter->set("u", Answer::read);
  wait([&] { return is_open(log("u")); });
  // Where it begins is found out behind the opening.
  wait([&] {
    write("u", "a2");
    return lines().size() > 1;
  });
  EXPECT_EQ(lines().front(), "a1");
  EXPECT_THAT(lines(), testing::Each(testing::AnyOf("a1", "a2")));
}

TEST_F(TailPods, AnExcludedLogThatAppearsAndRotatesIsNotOpened) {
  filter->set("out", Answer::leave);
  write("in", "a1");
  start();
  wait_for(1);
  write("out", "secret");
  std::filesystem::rename(log("out"), log("out") + ".20240501-101010");
  write("out", "secret too");
  write("in", "a2");
  wait_for(2);
  EXPECT_FALSE(is_open(log("out")));
  EXPECT_FALSE(is_open(log("out") + ".20240501-101010"));
  EXPECT_THAT(lines(), ElementsAre("a1", "a2"));
}

TEST_F(TailPods, ALogThatNobodyKnowsYetIsReadFromItsStartWhenItIsKnown) {
  filter->set("new", Answer::later);
  write("new", "n1");
  write("in", "a1");
  start();
  wait_for(1);
  write("new", "n2");
  write("in", "a2");
  wait_for(2);
  EXPECT_FALSE(is_open(log("new")));
  filter->set("new", Answer::read);
  wait_for(4);
  EXPECT_THAT(lines(), UnorderedElementsAre("a1", "a2", "n1", "n2"));
}

TEST_F(TailPods, ALogThatNobodyKnowsIsReadAfterTheWait) {
  filter->set("new", Answer::later, base::Clock::system().monotonic() + 200 * base::kMillisecond);
  write("new", "n1");
  start();
  wait_for(1);
  EXPECT_GE(base::Clock::system().monotonic(), filter->ask({"shop", "web", "new", "app"}, 0).ask_at);
  EXPECT_THAT(lines(), ElementsAre("n1"));
}

TEST_F(TailPods, ThePositionMovesToWhereReadingGoesOn) {
  track();
  write("u", "a1");
  start();
  wait_for(1);
  filter->set("u", Answer::leave);
  wait([&] { return !is_open(log("u")); });
  const auto kept = stored();
  ASSERT_EQ(kept.count(log("u")), 1U);
  EXPECT_EQ(kept.at(log("u")).resume.offset, cri("a1").size());
  write("u", "secret");
  filter->set("u", Answer::read);
  wait([&] { return stored().at(log("u")).resume.offset == cri("a1").size() + cri("secret").size(); });
  write("u", "a2");
  wait_for(2);
  EXPECT_THAT(lines(), ElementsAre("a1", "a2"));
  stop();
  EXPECT_EQ(stored().at(log("u")).resume.offset, std::filesystem::file_size(log("u")));
}

TEST_F(TailPods, AfterARestartReadingGoesOnWhereItIsWanted) {
  track();
  write("u", "a1");
  start();
  wait_for(1);
  filter->set("u", Answer::leave);
  wait([&] { return !is_open(log("u")); });
  stop();
  auto positions = stored();
  const std::string before = snapshot;
  write("u", "secret");
  context.stop = std::move(*base::Stop::create());
  context.context.stop = context.stop.get();
  track(std::move(positions));
  write("in", "b1");
  start();
  wait_for(1);
  EXPECT_FALSE(is_open(log("u")));
  filter->set("u", Answer::read);
  wait([&] { return stored(before).at(log("u")).resume.offset == std::filesystem::file_size(log("u")); });
  write("u", "a2");
  wait_for(2);
  EXPECT_THAT(lines(), ElementsAre("b1", "a2"));
  stop();
  EXPECT_EQ(stored(before).at(log("u")).resume.offset, std::filesystem::file_size(log("u")));
}

TEST_F(TailPods, AnExcludedLogThatGoesIsNoLossAndItsPositionEnds) {
  track();
  write("u", "a1");
  start();
  wait_for(1);
  filter->set("u", Answer::leave);
  wait([&] { return !is_open(log("u")); });
  write("u", "secret");
  std::filesystem::remove_all(dir / "pods/shop_web_u");
  wait([&] { return stored().count(log("u")) == 0; });
  stop();
  EXPECT_THAT(lines(), ElementsAre("a1"));
  EXPECT_EQ(source->counters().lost, 0U);
}

TEST_F(TailPods, AnExcludedLogThatWentWhileNobodyRanIsNoLoss) {
  track();
  write("u", "a1");
  start();
  wait_for(1);
  filter->set("u", Answer::leave);
  wait([&] { return !is_open(log("u")); });
  stop();
  auto positions = stored();
  const std::string before = snapshot;
  write("u", "secret");
  std::filesystem::remove_all(dir / "pods/shop_web_u");
  context.stop = std::move(*base::Stop::create());
  context.context.stop = context.stop.get();
  track(std::move(positions));
  write("in", "b1");
  start();
  wait_for(1);
  wait([&] { return stored(before).count(log("u")) == 0; });
  stop();
  EXPECT_THAT(lines(), ElementsAre("b1"));
  EXPECT_EQ(source->counters().lost, 0U);
}

TEST_F(TailPods, ReadingOnceLeavesExcludedLogsOut) {
  spec.read.follow = false;
  filter->set("out", Answer::leave);
  write("out", "secret");
  write("in", "a1");
  start();
  thread.join();
  EXPECT_THAT(lines(), ElementsAre("a1"));
}

TEST_F(TailPods, ReadingOnceWaitsForWhatNobodyKnowsYet) {
  spec.read.follow = false;
  const base::Monotonic until = base::Clock::system().monotonic() + base::kMinute;
  filter->set("out", Answer::later, until);
  write("out", "secret");
  write("in", "a1");
  start();
  wait([&] { return filter->listeners() == 1; });
  EXPECT_THAT(lines(), IsEmpty());
  filter->set("out", Answer::leave);
  thread.join();
  EXPECT_THAT(lines(), ElementsAre("a1"));
}

TEST_F(TailPods, TheGaugeCountsThem) {
  filter->set("out", Answer::leave);
  write("out", "secret");
  write("in", "a1");
  start();
  wait_for(1);
  EXPECT_EQ(test::value_of(context.registry, "weir_tail_left_alone_logs"), 1U);
}

}  // namespace
}  // namespace weir::stages
