#include "cli/pipeline_set.h"

#include "cli/pipeline_run.h"
#include "support/collect.h"
#include "tail/handover.h"

#include <gtest/gtest.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <poll.h>

#include <array>
#include <condition_variable>
#include <csignal>
#include <set>

namespace weir::cli {
namespace {

// What the sources of a test did, in order: "a starts", "a ends". One lock each: `a` may be held by one source at a time.
class Journal {
 public:
  void add(const std::string& what) {
    const std::lock_guard lock(mutex_);
    entries_.push_back(what);
    changed_.notify_all();
  }
  void wait_for(const std::string& what) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::ranges::find(entries_, what) != entries_.end(); });
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }
  std::vector<std::string> entries() {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  std::set<std::string> held;  // locks
  std::set<std::string> unbuildable;
  std::set<std::string> missing;                // what rehearsing finds
  std::map<std::string, base::Error> end_with;  // by name: what run() returns when it is stopped

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> entries_;
};

Journal& journal() {
  static auto* instance = new Journal;
  return *instance;
}

// `wait NAME [--lock LOCK]`: runs until it is stopped; `wait NAME --once` ends at once. `--leave`: leaves an open file of a log
// that bears its name to whoever comes next.
class WaitSource : public pipeline::Source {
 public:
  WaitSource(std::string name, std::string lock, bool once, tail::Handover* left)
      : name_(std::move(name)), lock_(std::move(lock)), once_(once), left_(left) {}
  ~WaitSource() override {
    if (!lock_.empty()) journal().held.erase(lock_);
  }
  base::Result<void> run(pipeline::Outlet&, base::Stop& stop) override {
    journal().add(name_ + " starts");
    if (!once_) {
      pollfd stopped = {stop.fd(), POLLIN, 0};
      while (!stop.stopped()) ::poll(&stopped, 1, -1);
    }
    journal().add(name_ + " ends");
    if (left_ != nullptr) left_->add(name_, {std::make_shared<const tail::OpenFile>()});
    if (const auto error = journal().end_with.find(name_); error != journal().end_with.end()) return error->second;
    return {};
  }
  [[nodiscard]] std::string_view name() const override { return "wait"; }

 private:
  std::string name_, lock_;
  bool once_;
  tail::Handover* left_;
};

class WaitInvocation : public Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("name", name_, "its name")->required();
    app.add_option("--lock", lock_, "what it holds while it is there");
    app.add_flag("--once", once_, "do not wait");
    app.add_flag("--leave", leave_, "leave a file to the next one");
  }
  base::Result<Built> build(const Plan& plan, const pipeline::Context&) override {
    if (plan.handover != nullptr) {
      for (const auto& [log, files] : plan.handover->files()) journal().add(name_ + " finds " + log);
    }
    if (journal().unbuildable.contains(name_)) return base::fail(base::Code::io, "cannot build {}", name_);
    if (!lock_.empty() && !journal().held.insert(lock_).second) return base::fail(base::Code::busy, "{} is held", lock_);
    Built built;
    built.source = std::make_unique<WaitSource>(name_, lock_, once_, leave_ ? plan.handover : nullptr);
    return built;
  }
  base::Result<Built> rehearse(const Plan&, const pipeline::Context&) override {
    if (journal().missing.contains(name_)) return base::fail(base::Code::io, "cannot find what {} reads", name_);
    return Built();
  }

 private:
  std::string name_, lock_;
  bool once_ = false, leave_ = false;
};

class EatSink : public pipeline::Stage {
 public:
  base::Result<pipeline::Flow> consume(pipeline::Batch&, pipeline::Outlet&) override { return pipeline::Flow::more; }
  [[nodiscard]] std::string_view name() const override { return "eat"; }
};

class EatInvocation : public Invocation {
 public:
  void declare(CLI::App&) override {}
  base::Result<Built> build(const Plan&, const pipeline::Context&) override {
    Built built;
    built.stage = std::make_unique<EatSink>();
    built.sink = true;
    return built;
  }
};

const Command wait_command = {
    .name = "wait", .summary = "wait", .description = "", .role = Role::source, .examples = {}, .exits = {}, .make = [] {
      return std::unique_ptr<Invocation>(new WaitInvocation);
    }};
const Command eat_command = {
    .name = "eat", .summary = "eat", .description = "", .role = Role::sink, .examples = {}, .exits = {}, .make = [] {
      return std::unique_ptr<Invocation>(new EatInvocation);
    }};

std::span<const Command* const> commands() {
  static const std::array<const Command*, 2> table = {&wait_command, &eat_command};
  return table;
}

// Runs a text on a thread of its own; reload() gives it another.
class PipelineSetTest : public testing::Test {
 protected:
  PipelineSetTest() {
    journal().clear();
    journal().held.clear();
    journal().unbuildable.clear();
    journal().missing.clear();
    journal().end_with.clear();
  }
  void start(const std::string& text) {
    text_ = text;
    auto entries = read(text);
    ASSERT_TRUE(entries) << entries.error().message;
    set_ = std::make_unique<PipelineSet>(commands(), context_.context, [this] {
      const std::lock_guard lock(mutex_);
      return read(text_);
    });
    auto built = set_->build(*entries);
    ASSERT_TRUE(built) << built.error().message;
    thread_ = std::thread([this] { outcome_.emplace(set_->run()); });
  }
  void reload(const std::string& text) {
    {
      const std::lock_guard lock(mutex_);
      text_ = text;
    }
    context_.stop->request_reload();
  }
  base::Result<Exit> join() {
    thread_.join();
    return *outcome_;
  }
  base::Result<Exit> stop() {
    context_.stop->request(SIGTERM);
    return join();
  }
  base::Result<std::vector<PipelineEntry>> read(const std::string& text) {
    return read_pipelines(PipelineSource("f", text), commands(), context_.context);
  }
  void wait_until_said(std::string_view part) {
    const auto said = [&] {
      return std::ranges::any_of(context_.diagnostics.said(),
                                 [&](const std::string& text) { return text.find(part) != std::string::npos; });
    };
    while (!said()) ::poll(nullptr, 0, 1);
  }

  test::TestContext context_;

 private:
  std::mutex mutex_;
  std::string text_;
  std::unique_ptr<PipelineSet> set_;
  std::thread thread_;
  std::optional<base::Result<Exit>> outcome_;
};

using Lines = std::vector<std::string>;

TEST_F(PipelineSetTest, OnePipelineIsReplacedWhileTheOtherRunsOn) {
  start("wait a --lock x | eat\nwait b --lock y | eat");
  journal().wait_for("a starts");
  journal().wait_for("b starts");
  journal().clear();
  // The new one takes the lock of the old one: it is built when that is gone.
  reload("wait c --lock x | eat\nwait b --lock y | eat");
  journal().wait_for("c starts");
  EXPECT_EQ(journal().entries(), (Lines{"a ends", "c starts"}));
  wait_until_said("read the pipelines again: 1 unchanged, 1 replaced, 0 new, 0 ended");
  EXPECT_FALSE(context_.stop->stopped());
  auto exit = stop();
  ASSERT_TRUE(exit);
}

TEST_F(PipelineSetTest, TheSameWordsRunOnWhereverTheyStand) {
  start("wait a | eat\nwait b | eat");
  journal().wait_for("a starts");
  journal().wait_for("b starts");
  journal().clear();
  reload("# a comment\nweir wait 'b' |\n  eat\nwait   \"a\" | eat");
  wait_until_said("2 unchanged, 0 replaced, 0 new, 0 ended");
  EXPECT_EQ(journal().entries(), Lines{});
  ASSERT_TRUE(stop());
}

TEST_F(PipelineSetTest, AllThatChangeEndBeforeAnyIsBuilt) {
  start("wait a --lock x | eat\nwait b --lock y | eat");
  journal().wait_for("a starts");
  journal().wait_for("b starts");
  for (int i = 0; i < 20; ++i) {
    journal().clear();
    // Each takes the lock that the other one has.
    const bool swapped = i % 2 == 0;
    reload(swapped ? "wait c --lock y | eat\nwait d --lock x | eat" : "wait a --lock x | eat\nwait b --lock y | eat");
    journal().wait_for(swapped ? "c starts" : "a starts");
    journal().wait_for(swapped ? "d starts" : "b starts");
  }
  for (const std::string& text : context_.diagnostics.said()) EXPECT_EQ(text.find("cannot"), std::string::npos) << text;
  ASSERT_TRUE(stop());
}

TEST_F(PipelineSetTest, WhatTheOldOneHadOpenIsThereWhenTheNewOneIsBuiltAndNotForLonger) {
  start("wait a --leave | eat\nwait b --leave | eat");
  journal().wait_for("a starts");
  journal().wait_for("b starts");
  journal().clear();
  // Where the new one cannot be built, the old one finds it again.
  journal().unbuildable = {"c"};
  reload("wait c --leave | eat\nwait b --leave | eat");
  journal().wait_for("a starts");
  EXPECT_EQ(journal().entries(), (Lines{"a ends", "c finds a", "a finds a", "a starts"}));
  journal().clear();
  reload("wait d | eat\nwait a --leave | eat");
  journal().wait_for("d starts");
  EXPECT_EQ(journal().entries(), (Lines{"b ends", "d finds b", "d starts"}));
  journal().clear();
  reload("wait e | eat\nwait a --leave | eat");
  journal().wait_for("e starts");
  EXPECT_EQ(journal().entries(), (Lines{"d ends", "e starts"}));
  ASSERT_TRUE(stop());
}

TEST_F(PipelineSetTest, WhatHasDoneItsWorkDoesNotDoItAgain) {
  start("wait a --once | eat\nwait b | eat");
  journal().wait_for("a ends");
  journal().wait_for("b starts");
  reload("wait a --once | eat\nwait c | eat");
  journal().wait_for("c starts");
  EXPECT_EQ(std::ranges::count(journal().entries(), "a starts"), 1);
  reload("wait c | eat");
  wait_until_said("1 unchanged, 0 replaced, 0 new, 0 ended");
  reload("wait a --once | eat\nwait c | eat");  // named anew
  wait_until_said("1 unchanged, 0 replaced, 1 new, 0 ended");
  ASSERT_TRUE(stop());
}

TEST_F(PipelineSetTest, WhatAStartWouldNotFindChangesNothing) {
  start("wait a | eat");
  journal().wait_for("a starts");
  journal().missing = {"b"};
  reload("wait b | eat");
  wait_until_said("the pipelines run on as they were: cannot find what b reads");
  EXPECT_EQ(journal().entries(), Lines{"a starts"});
  ASSERT_TRUE(stop());
}

TEST_F(PipelineSetTest, PipelinesComeAndGo) {
  start("wait a | eat\nwait b | eat");
  journal().wait_for("a starts");
  journal().wait_for("b starts");
  reload("wait a | eat");
  journal().wait_for("b ends");
  reload("wait a | eat\nwait c | eat\nwait d | eat");
  journal().wait_for("c starts");
  journal().wait_for("d starts");
  auto exit = stop();
  ASSERT_TRUE(exit);
  EXPECT_EQ(*exit, Exit::terminated);
}

TEST_F(PipelineSetTest, ATextWithAMistakeChangesNothing) {
  start("wait a | eat");
  journal().wait_for("a starts");
  reload("wait a | eta");
  wait_until_said("the pipelines run on as they were: f:1:10: there is no stage 'eta'");
  EXPECT_EQ(journal().entries(), Lines{"a starts"});
  reload("wait b | eat");  // and the next one counts
  journal().wait_for("b starts");
  ASSERT_TRUE(stop());
}

TEST_F(PipelineSetTest, WhatCannotStartLeavesTheOldTextRunning) {
  start("wait a --lock x | eat");
  journal().wait_for("a starts");
  journal().clear();
  journal().unbuildable = {"b"};
  reload("wait b --lock x | eat");
  journal().wait_for("a starts");
  EXPECT_EQ(journal().entries(), (Lines{"a ends", "a starts"}));
  wait_until_said("the old one runs again: cannot build b");
  ASSERT_TRUE(stop());
}

TEST_F(PipelineSetTest, WhenNeitherTheNewNorTheOldCanStartAllEnd) {
  start("wait a | eat\nwait other | eat");
  journal().wait_for("a starts");
  journal().wait_for("other starts");
  journal().unbuildable = {"a", "b"};
  reload("wait b | eat\nwait other | eat");
  auto exit = join();
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().message, "cannot build a");
}

TEST_F(PipelineSetTest, AnEndThatWasAskedForDoesNotCount) {
  journal().end_with.emplace("a", base::fail(base::Code::network, "cannot deliver the rest"));
  start("wait a | eat\nwait b --once | eat");
  journal().wait_for("a starts");
  reload("wait c --once | eat");
  wait_until_said("a pipeline that was replaced: cannot deliver the rest");
  auto exit = join();
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_EQ(*exit, Exit::ok);
}

TEST_F(PipelineSetTest, AnErrorThatNobodyAskedForStopsAll) {
  journal().end_with.emplace("a", base::fail(base::Code::network, "cannot go on"));
  start("wait a --once | eat\nwait b | eat");
  auto exit = join();
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().message, "cannot go on");
}

TEST_F(PipelineSetTest, WithoutAWayToReadAgainOneIsDrivenByTheCaller) {
  PipelineSet set(commands(), context_.context);
  auto entries = read("wait a --once | eat");
  ASSERT_TRUE(entries);
  ASSERT_TRUE(set.build(*entries));
  auto exit = set.run();
  ASSERT_TRUE(exit);
  EXPECT_EQ(*exit, Exit::ok);
}

}  // namespace
}  // namespace weir::cli
