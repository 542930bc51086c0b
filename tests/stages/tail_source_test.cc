#include "stages/tail_source.h"

#include "support/books.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::stages {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;
using Lines = std::vector<std::string>;

std::string cri(std::string_view text, std::string_view stream = "stdout", char tag = 'F') {
  return fmt::format("2024-05-01T10:00:00Z {} {} {}\n", stream, tag, text);
}

// The value of `line`, or of the marker's type.
std::string line_of(const std::string& json) {
  const auto value = [&](std::string_view key) -> std::string {
    const std::size_t at = json.find(key);
    if (at == std::string::npos) return {};
    const std::size_t begin = at + key.size();
    return json.substr(begin, json.find('"', begin) - begin);
  };
  const std::string line = value("\"line\":\"");
  return line.empty() ? "<" + value("\"type\":\"") + ">" : line;
}

class Tail : public testing::Test {
 protected:
  Tail() {
    context.context.clock = &base::Clock::system();
    spec.read.rotation_grace = 50 * base::kMillisecond;
    spec.read.deletion_grace = 50 * base::kMillisecond;
    spec.times.gather = spec.times.spacing = 20 * base::kMillisecond;
    spec.positions = record::Positions();
  }
  ~Tail() override {
    stop();
    if (source == nullptr || chain.empty()) return;
    const pipeline::Counters counters = source->counters();
    test::expect_balance(counters);
    EXPECT_EQ(counters.records_out, collector->lines().size());
    EXPECT_EQ(counters.in_flight, 0U);
  }

  void start() {
    for (std::string& input : spec.inputs) {
      if (input != "-" && !input.starts_with('/')) input = dir / input;
    }
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
  }
  // Runs to the end by itself.
  Lines all() {
    start();
    thread.join();
    return lines();
  }
  Lines lines() const { return lines_of(collector->lines()); }
  static Lines lines_of(const Lines& jsons) {
    Lines texts;
    for (const std::string& json : jsons) texts.push_back(line_of(json));
    return texts;
  }
  void wait(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline)
          << "the condition never held; so far: " << testing::PrintToString(lines());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  void wait_for(std::size_t count) {
    wait([&] { return collector->lines().size() >= count; });
  }

  // Whether this process has the file open.
  static bool is_open(const std::string& path) {
    std::error_code ignored;
    for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
      if (std::filesystem::read_symlink(fd.path(), ignored) == path) return true;
    }
    return false;
  }

  test::TempDir dir;
  test::TestContext context;
  TailSpec spec;
  test::Collector* collector = nullptr;
  std::vector<std::unique_ptr<pipeline::Stage>> chain;
  std::unique_ptr<pipeline::Source> source;
  base::Result<void> result;
  std::thread thread;
};

TEST_F(Tail, ReadsATreeOnce) {
  dir.write("pods/shop_web_u1/app/0.log", cri("a1") + cri("a2", "stderr"));
  dir.write("pods/pay_db_u2/db/0.log", cri("b1"));
  spec.inputs = {"pods"};
  EXPECT_THAT(all(), UnorderedElementsAre("a1", "a2", "b1"));
  ASSERT_TRUE(result);
  EXPECT_EQ(source->counters().records_out, 3U);
  EXPECT_TRUE(collector->markers().empty());
  EXPECT_THAT(
      collector->lines(),
      testing::Contains("{\"timestamp\":\"2024-05-01T10:00:00Z\",\"line\":\"b1\",\"labels\":{\"container\":\"db\",\"namespace\":"
                        "\"pay\",\"pod\":\"db\",\"stream\":\"stdout\"},\"metadata\":{\"pod_uid\":\"u2\"}}"));
}

TEST_F(Tail, LargeFilesAreReadInTurnsEachInOrder) {
  constexpr int kLines = 20'000;
  for (const char* pod : {"a", "b", "c"}) {
    std::string text;
    for (int i = 0; i < kLines; ++i) text += cri(fmt::format("{} {:06} and some more to fill the block", pod, i));
    dir.write(fmt::format("pods/n_{}_u/c/0.log", pod), text);
  }
  spec.inputs = {"pods"};
  const Lines got = all();
  ASSERT_EQ(got.size(), 3U * kLines);
  std::map<char, int> next;
  std::string order;
  for (const std::string& line : got) {
    ASSERT_EQ(line.substr(2, 6), fmt::format("{:06}", next[line[0]]++));
    if (order.empty() || order.back() != line[0]) order += line[0];
  }
  EXPECT_GT(order.size(), 6U) << order;  // in turns
}

TEST_F(Tail, LastLinesOfEachFile) {
  dir.write("a.log", "1\n2\n3\n");
  dir.write("b.log", "4\n5\n6\n");
  spec.inputs = {"a.log", "b.log"};
  spec.start = {tail::Start::Kind::lines, 2, 0};
  EXPECT_THAT(all(), UnorderedElementsAre("2", "3", "5", "6"));
}

TEST_F(Tail, UnreadableFilesAreToldAndCounted) {
  dir.write("a.log", "1\n");
  spec.inputs = {"a.log", "absent.log"};
  EXPECT_THAT(all(), ElementsAre("1"));
  EXPECT_TRUE(result);
  EXPECT_EQ(source->counters().unreadable_files, 1U);
  EXPECT_THAT(context.diagnostics.said(), testing::Contains(testing::HasSubstr("absent.log: No such file or directory")));
}

TEST_F(Tail, NoReadableFileIsAnError) {
  spec.inputs = {"absent.log", "absent2.log"};
  all();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::io);
  EXPECT_EQ(result.error().message, "cannot read any of 2 log files");
}

TEST_F(Tail, FollowingAFolderWithNothingButALinkThatIsRefusedWaitsForLogs) {
  dir.write("secret/key.log", "secret\n");
  std::filesystem::create_directory(dir / "logs");
  std::filesystem::create_symlink(dir / "secret/key.log", dir / "logs/a.log");
  spec.inputs = {"logs"};
  spec.read.follow = true;
  start();
  wait([&] {
    return !context.diagnostics.said().empty() && context.diagnostics.said().back() == "waiting for a log that can be read";
  });
  EXPECT_THAT(context.diagnostics.said(), testing::Contains(testing::HasSubstr("a.log: a symbolic link leads out")));
  dir.write("logs/b.log", "1\n");
  wait_for(1);
  stop();
  EXPECT_EQ(lines(), Lines{"1"});
  EXPECT_TRUE(result);
  source.reset();
}

TEST_F(Tail, ARefusedLinkAloneEndsNoFollowing) {
  dir.write("secret/key.log", "secret\n");
  std::filesystem::create_directory(dir / "logs");
  std::filesystem::create_symlink(dir / "secret/key.log", dir / "logs/a.log");
  spec.inputs = {"logs"};
  for (const bool follow : {false, true}) {
    spec.read.follow = follow;
    chain.clear();
    start();
    if (follow)
      wait([&] { return !context.diagnostics.said().empty() && context.diagnostics.said().back().starts_with("waiting"); });
    if (follow) stop();
    if (thread.joinable()) thread.join();
    EXPECT_EQ(static_cast<bool>(result), follow);
  }
}

TEST_F(Tail, AFileWithTwoNamesIsReadOnce) {
  dir.write("a.log", "1\n");
  std::filesystem::create_hard_link(dir / "a.log", dir / "b.log");
  spec.inputs = {"*.log", "a.log"};
  EXPECT_THAT(all(), ElementsAre("1"));
}

TEST_F(Tail, ReaderThatWantsNoMoreEndsIt) {
  dir.write("a.log", "1\n2\n");
  spec.inputs = {"a.log"};
  spec.read.follow = true;
  start();
  collector->limit = 1;
  dir.write("a.log", "3\n", true);
  thread.join();
  EXPECT_TRUE(result);
}

TEST_F(Tail, TrackedStreamBeginsAndEnds) {
  dir.write("pods/shop_web_u1/app/0.log", cri("a1") + cri("a2"));
  spec.inputs = {"pods"};
  spec.checkpoint = "/some/spool.db";
  all();
  EXPECT_THAT(lines_of(collector->all()), ElementsAre("<begin>", "<generation>", "<>", "a1", "a2", "<end>"));
  EXPECT_THAT(collector->all().front(), testing::HasSubstr("/some/spool.db"));
  EXPECT_THAT(collector->lines().back(), testing::HasSubstr(fmt::format("\"source\":\"f.1.1.o.{}\"", 2 * cri("a1").size())));
}

TEST_F(Tail, TrackedGoesOnAtItsPositionAndEndsLogsThatAreGone) {
  dir.write("pods/shop_web_u1/app/0.log", cri("a1") + cri("a2"));
  dir.write("pods/shop_new_u2/app/0.log", cri("n1"));
  record::LogPosition position;
  record::Generation generation;
  generation.number = 9;
  generation.file = *(*tail::InputFile::open(dir / "pods/shop_web_u1/app/0.log"))->identify(1024, 0);
  position.generations = {generation};
  position.resume = {9, cri("a1").size()};
  (*spec.positions)[dir / "pods/shop_web_u1/app/0.log"] = position;
  position.generations[0].done = true;
  (*spec.positions)[dir / "pods/shop_gone_u3/app/0.log"] = position;
  spec.inputs = {"pods"};
  spec.checkpoint = "/some/spool.db";
  EXPECT_THAT(all(), UnorderedElementsAre("a2", "n1"));
  EXPECT_THAT(collector->markers(), testing::Contains(testing::HasSubstr("\"gone\":true")));
  EXPECT_EQ(source->counters().lost, 0U);
}

TEST_F(Tail, LogThatAppearedWhileNothingRanIsReadWithItsRotatedFiles) {
  dir.write("pods/shop_web_u1/app/0.log", cri("seen"));
  dir.write("pods/shop_new_u2/app/0.log.20240501-100000", cri("first"));
  dir.write("pods/shop_new_u2/app/0.log.20240501-100100", cri("second"));
  dir.write("pods/shop_new_u2/app/0.log", cri("third"));
  spec.inputs = {"pods"};
  spec.checkpoint = dir / "c.db";
  for (const bool follow : {false, true}) {
    // With no positions at all it is the first start ever, which reads live files only.
    for (const bool resumed : {false, true}) {
      SCOPED_TRACE(fmt::format("follow {} resumed {}", follow, resumed));
      spec.read.follow = follow;
      spec.positions = record::Positions();
      if (resumed) (*spec.positions)[dir / "pods/shop_old_u3/app/0.log"] = record::LogPosition();
      chain.clear();
      start();
      if (follow) wait([&] { return testing::Matches(testing::IsSupersetOf({"seen", "third"}))(lines()); });
      if (follow) context.stop->request();
      thread.join();
      Lines new_pod;
      for (const std::string& line : lines()) {
        if (line == "first" || line == "second" || line == "third") new_pod.push_back(line);
      }
      EXPECT_EQ(new_pod, resumed ? (Lines{"first", "second", "third"}) : Lines{"third"});
      context.stop = base::Stop::create().value();
      context.context.stop = context.stop.get();
    }
  }
}

TEST_F(Tail, FollowsWritesNewPodsAndRotations) {
  dir.write("pods/shop_web_u1/app/0.log", cri("a1"));
  spec.inputs = {"pods"};
  spec.read.follow = true;
  start();
  wait_for(1);
  dir.write("pods/shop_web_u1/app/0.log", cri("a2"), true);
  wait_for(2);
  dir.write("pods/shop_new_u2/app/0.log", cri("n1"));
  wait_for(3);
  std::filesystem::rename(dir / "pods/shop_web_u1/app/0.log", dir / "pods/shop_web_u1/app/0.log.20240501-100000");
  dir.write("pods/shop_web_u1/app/0.log.20240501-100000", cri("a3"), true);
  dir.write("pods/shop_web_u1/app/0.log", cri("a4"));
  wait_for(5);
  stop();
  EXPECT_THAT(lines(), ElementsAre("a1", "a2", "n1", "a3", "a4"));
  EXPECT_TRUE(result);
}

TEST_F(Tail, PodThatLivedShortlyIsCaught) {
  std::filesystem::create_directories(dir / "pods");
  spec.inputs = {"pods"};
  spec.read.follow = true;
  spec.checkpoint = "/some/spool.db";
  start();
  for (int i = 0; i < 20; ++i) {
    const std::string log = fmt::format("pods/shop_job-{}_u/app/0.log", i);
    dir.write(log, cri(fmt::format("job {}", i)));
    wait([&] { return is_open(dir / log); });
    std::filesystem::remove_all(dir / fmt::format("pods/shop_job-{}_u", i));
  }
  wait_for(20);
  wait([&] {
    return std::ranges::count_if(collector->markers(),
                                 [](const auto& m) { return m.find("\"gone\":true") != std::string::npos; }) == 20;
  });
  stop();
  EXPECT_EQ(lines().size(), 20U);
  EXPECT_EQ(line_of(collector->all().back()), "<end>");
}

// Lets nothing pass while it is shut.
class Gate : public pipeline::Stage {
 public:
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.wait(lock, [&] { return open_; });
    waiting_ = false;
    return out.emit(batch);
  }
  [[nodiscard]] std::string_view name() const override { return "gate"; }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false, waiting_ = false;
};

class BlockedTail : public Tail {
 protected:
  BlockedTail() {
    spec.inputs = {"pods"};
    spec.read.follow = true;
    spec.times.hold = 20 * base::kMillisecond;
    auto owned = std::make_unique<Gate>();
    gate = owned.get();
    chain.push_back(std::move(owned));
  }
  ~BlockedTail() override {
    gate->open();
    stop();
  }
  // Line `i` in a file of its own, of which there are no others when it is read, deleted, and so on.
  void rotate(int i) {
    const std::string rotated = dir / fmt::format("pods/shop_web_u/app/0.log.20240501-{:06}", i);
    std::filesystem::rename(dir / log, rotated);
    dir.write(log, cri(fmt::format("{} {}", i, std::string(900, 'x'))));
    wait([&] { return is_open(dir / log); });
    std::filesystem::remove(rotated);
  }
  // How many files of the pods this process holds that have no name.
  int held() {
    int count = 0;
    std::error_code ignored;
    for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
      const std::string file = std::filesystem::read_symlink(fd.path(), ignored).string();
      count += file.starts_with(dir / "pods") && file.ends_with(" (deleted)") ? 1 : 0;
    }
    return count;
  }
  const std::string log = "pods/shop_web_u/app/0.log";
  Gate* gate = nullptr;
};

TEST_F(BlockedTail, EveryGenerationIsReadAfterwards) {
  dir.write(log, cri("0"));
  start();
  wait([&] { return gate->waiting(); });
  for (int i = 1; i <= 20; ++i) rotate(i);
  EXPECT_GE(held(), 19);
  gate->open();
  wait_for(21);
  wait([&] { return held() == 0; });
  stop();
  const Lines got = lines();
  for (int i = 0; i <= 20; ++i)
    EXPECT_TRUE(got[static_cast<std::size_t>(i)].starts_with(std::to_string(i))) << got[static_cast<std::size_t>(i)];
  EXPECT_EQ(source->counters().lost, 0U);
}

TEST_F(BlockedTail, WhatDeletedFilesKeepIsBounded) {
  spec.hold_deleted = 5000;
  dir.write(log, cri("0"));
  start();
  wait([&] { return gate->waiting(); });
  for (int i = 1; i <= 20; ++i) rotate(i);
  wait([&] { return held() <= 6; });  // and the one that is read to its end
  const Lines said = context.diagnostics.said();
  EXPECT_THAT(said, testing::Contains(testing::HasSubstr("not read yet are lost, because deleted files may keep")));
  gate->open();
  wait_for(21);
  stop();
  std::uint64_t lost = 0;
  for (const std::string& json : collector->lines()) {
    const std::size_t at = json.find("\"weir_gap_bytes\":\"");
    if (at == std::string::npos) continue;
    ++lost;
    const std::size_t size = cri("1 " + std::string(900, 'x')).size();
    EXPECT_THAT(std::stoul(json.substr(at + 18)), testing::AnyOf(size, size + 1));  // one digit or two
  }
  EXPECT_EQ(lost, source->counters().lost);
  EXPECT_GE(lost, 10U);
}

TEST_F(Tail, LoneLineLeavesAtOnce) {
  dir.write("a.log", "0\n");
  spec.inputs = {"a.log"};
  spec.read.follow = true;
  spec.times.gather = 100 * base::kMillisecond;
  start();
  wait_for(1);
  const auto written = std::chrono::steady_clock::now();
  dir.write("a.log", "1\n", true);
  wait_for(2);
  EXPECT_LT(std::chrono::steady_clock::now() - written, std::chrono::seconds(2));
}

// Two logs by turns, a line a write, so that they are told without events after a while; a rotation whose writer goes on with its
// old file; and quiet times.
TEST_F(Tail, EveryLineOfLogsThatAreWrittenAllTheTime) {
  const Lines logs = {"pods/shop_a_u/app/0.log", "pods/shop_b_u/app/0.log"};
  for (const std::string& log : logs) dir.write(log, "");
  spec.inputs = {"pods"};
  spec.read.follow = true;
  start();
  std::array<Lines, 2> wanted;
  int number = 0;
  const auto write = [&](const std::string& to, std::size_t log) {
    const std::string text = fmt::format("{} {}", log, ++number);
    dir.write(to, cri(text), true);
    wanted[log].push_back(text);
  };
  const auto burst = [&](int count) {
    for (int i = 0; i < count; ++i) write(logs[i % 2], i % 2);
  };
  const auto all_read = [&] { wait_for(wanted[0].size() + wanted[1].size()); };
  for (int round = 1; round <= 3; ++round) {
    for (int part = 0; part < 10; ++part) {
      const std::size_t before = lines().size();
      burst(100);
      wait_for(before + 1);
    }
    const std::string rotated = dir / fmt::format("{}.20240501-{:06}", logs[0], round);
    std::filesystem::rename(dir / logs[0], rotated);
    write(rotated, 0);
    dir.write(logs[0], "");
    burst(101);
    all_read();
    write(logs[1], 1);
    all_read();
  }
  stop();
  std::array<Lines, 2> got;
  for (const std::string& line : lines()) got[line[0] == '0' ? 0 : 1].push_back(line);
  EXPECT_EQ(got[1], wanted[1]);
  EXPECT_EQ(got[0], wanted[0]);
}

class WaitingCollector : public test::Collector {
 public:
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override {
    if (!batch.empty()) came.push_back(std::chrono::steady_clock::now());
    return Collector::consume(batch, out);
  }
  [[nodiscard]] base::Duration batch_wait() const override { return 320 * base::kMillisecond; }
  std::vector<std::chrono::steady_clock::time_point> came;
};

// Since the end of the chain would let them wait, lines that keep coming may as well wait in their files.
TEST_F(Tail, GathersAsLongAsTheEndOfTheChainWaits) {
  dir.write("a.log", "0\n");
  spec.inputs = {dir / "a.log"};
  spec.read.follow = true;
  auto owned = std::make_unique<WaitingCollector>();
  const WaitingCollector& waiting = *owned;
  collector = owned.get();
  chain.push_back(std::move(owned));
  source = make_tail_source(spec, context.context);
  thread = std::thread([this] { result = pipeline::run_chain(*source, chain, context.context).ended; });
  wait_for(1);
  for (std::size_t count = 2; count <= 3; ++count) {
    dir.write("a.log", "x\n", true);
    wait_for(count);
  }
  stop();
  ASSERT_EQ(waiting.came.size(), 3U);
  EXPECT_GE(waiting.came[2] - waiting.came[1], std::chrono::nanoseconds(300 * base::kMillisecond));
}

TEST_F(Tail, FromEndIsOnlyForFilesThatWereThere) {
  dir.write("d/a.log", "old\n");
  spec.inputs = {"d"};
  spec.read.follow = true;
  spec.start.kind = tail::Start::Kind::end;
  start();
  // The start is over when a new file is read whole.
  int probes = 0;
  wait([&] {
    dir.write(fmt::format("d/probe-{}.log", ++probes), "probe\n");
    return !lines().empty();
  });
  dir.write("d/a.log", "new\n", true);
  dir.write("d/b.log", "whole\n");
  wait([&] {
    const Lines got = lines();
    return std::ranges::count(got, "new") == 1 && std::ranges::count(got, "whole") == 1;
  });
  stop();
  EXPECT_EQ(std::ranges::count(lines(), "old"), 0);
}

TEST_F(Tail, UntrackedFollowingSaysSo) {
  dir.write("a.log", "0\n");
  spec.inputs = {"a.log"};
  spec.read.follow = true;
  start();
  wait_for(1);
  stop();
  EXPECT_THAT(context.diagnostics.said(), ElementsAre(testing::HasSubstr("no positions are kept")));
}

TEST_F(Tail, LastWordsOfAContainerComeOutWhenItsNextLogAppears) {
  dir.write("pods/shop_web_u1/app/0.log", cri("a1") + cri("pan", "stderr", 'P') + "2024-05-01T10:00:00Z stderr F ic");
  dir.write("pods/shop_web_u1/side/0.log", cri("b1") + cri("open", "stdout", 'P'));
  spec.inputs = {"pods"};
  spec.read.follow = true;
  spec.checkpoint = "/some/spool.db";
  start();
  wait_for(2);
  dir.write("pods/shop_web_u1/app/1.log", cri("a2"));
  wait_for(4);
  EXPECT_THAT(lines(), UnorderedElementsAre("a1", "b1", "a2", "panic"));
  stop();
  EXPECT_EQ(lines().size(), 4U);  // tracked: what is open of the other one is left for the next time
}

TEST_F(Tail, LastWordsOfAContainerThatHadANextLogAtTheStart) {
  for (const int restart : {0, 9, 10})
    dir.write(fmt::format("pods/shop_web_u1/app/{}.log", restart), cri(fmt::format("open{}", restart), "stdout", 'P'));
  spec.inputs = {"pods"};
  spec.read.follow = true;
  spec.checkpoint = "/some/spool.db";
  start();
  wait_for(2);
  EXPECT_THAT(lines(), UnorderedElementsAre("open0", "open9"));
}

TEST_F(Tail, UntrackedWhatIsOpenComesOutAtTheEndAndAfterAWhile) {
  dir.write("a.log", "one\nlast");
  dir.write("pods/n_p_u/c/0.log", cri("two") + cri("part", "stdout", 'P'));
  spec.inputs = {"a.log", "pods"};
  spec.read.follow = true;
  start();
  wait_for(2);
  stop();
  EXPECT_THAT(lines(), UnorderedElementsAre("one", "last", "two", "part"));
}

TEST_F(Tail, UntrackedWhatIsOpenComesOutAfterAWhile) {
  dir.write("a.log", "one\nlast");
  spec.inputs = {"a.log"};
  spec.read.follow = true;
  spec.read.patience = 50 * base::kMillisecond;
  start();
  wait_for(2);
  EXPECT_THAT(lines(), ElementsAre("one", "last"));
}

TEST_F(Tail, WhatAStartOfItsOwnLeavesOutIsSaid) {
  for (const char* name : {"a.log", "b.log"}) dir.write(name, "1\n2\n3\n");
  spec.inputs = {"*.log"};
  spec.read.follow = true;
  spec.start = {tail::Start::Kind::lines, 2, 0};
  spec.shortens = true;
  start();
  wait_for(4);
  stop();
  EXPECT_THAT(lines(), UnorderedElementsAre("2", "3", "2", "3"));
  EXPECT_THAT(context.diagnostics.said(),
              testing::Contains("showing the last 2 lines of each of 2 logs; --lines all for everything"));
}

TEST_F(Tail, NothingIsSaidWhereNothingIsLeftOut) {
  dir.write("a.log", "1\n");
  spec.inputs = {"a.log"};
  spec.read.follow = true;
  spec.start = {tail::Start::Kind::lines, 2, 0};
  spec.shortens = true;
  start();
  wait_for(1);
  stop();
  EXPECT_THAT(context.diagnostics.said(), testing::Not(testing::Contains(testing::HasSubstr("showing"))));
}

TEST_F(Tail, ZerosAreAGapAndAMessage) {
  dir.write("a.log", "one\n" + std::string(100, '\0') + "two\n");
  spec.inputs = {"a.log"};
  EXPECT_THAT(all(), ElementsAre("one", testing::HasSubstr("weir: 100 bytes of "), "two"));
  EXPECT_EQ(source->counters().lost, 1U);
  EXPECT_THAT(context.diagnostics.said(), testing::Contains(testing::HasSubstr("from byte 4 on are lost: zeros stand there")));
}

TEST_F(Tail, Utf16IsReportedWithItsName) {
  dir.write("a.log", std::string("\xff\xfeh\0i\0\n\0", 8));
  dir.write("b.log", "fine\n");
  spec.inputs = {"a.log", "b.log"};
  EXPECT_THAT(all(), ElementsAre("fine"));
  EXPECT_TRUE(result);
  EXPECT_EQ(source->counters().unreadable_files, 1U);
  EXPECT_THAT(context.diagnostics.said(), testing::Contains(testing::HasSubstr("a.log: it is UTF-16 text")));
}

TEST_F(Tail, NothingButUtf16IsAnError) {
  dir.write("a.log", std::string("\xff\xfeh\0i\0\n\0", 8));
  spec.inputs = {"a.log"};
  EXPECT_TRUE(all().empty());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::io);
}

class TailFifo : public Tail {
 protected:
  void make(std::string_view name) const { ASSERT_EQ(::mkfifo((dir / name).c_str(), 0600), 0); }
  // Waits for the reader.
  static void write(const std::string& path, std::string_view text) {
    const base::UniqueFd fd(::open(path.c_str(), O_WRONLY));
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
};

TEST_F(TailFifo, ThatIsNamedIsReadAsAStreamToItsEnd) {
  for (const bool follow : {false, true}) {
    dir.write("a.log", "file\n");
    make("fifo");
    make("other");
    spec.inputs = {"fifo", "other"};
    if (!follow) spec.inputs.emplace_back("a.log");
    spec.read.follow = follow;
    start();
    write(dir / "other", "three\n");
    write(dir / "fifo", "\xef\xbb\xbfone\ntwo");
    thread.join();
    EXPECT_TRUE(result);
    Lines want = {"one", "two", "three"};
    if (!follow) want.emplace_back("file");
    EXPECT_THAT(lines(), testing::UnorderedElementsAreArray(want));
    EXPECT_THAT(collector->lines(), testing::Contains(testing::AllOf(
                                        testing::HasSubstr("\"line\":\"two\""),
                                        testing::HasSubstr(fmt::format("\"labels\":{{\"filename\":\"{}\"}}", dir / "fifo")))));
    std::filesystem::remove(dir / "fifo");
    std::filesystem::remove(dir / "other");
    chain.clear();
  }
}

TEST_F(TailFifo, IsReadBesideFilesThatAreFollowed) {
  dir.write("a.log", "one\n");
  make("fifo");
  spec.inputs = {"a.log", "fifo"};
  spec.read.follow = true;
  start();
  wait_for(1);
  write(dir / "fifo", "two\n");
  wait_for(2);
  dir.write("a.log", "three\n", true);
  wait_for(3);
  stop();
  EXPECT_THAT(lines(), ElementsAre("one", "two", "three"));
}

TEST_F(TailFifo, ThatIsFoundIsNeverOpened) {
  std::filesystem::create_directories(dir / "pods/n_p_u/c");
  make("pods/n_p_u/c/0.log");
  dir.write("pods/n_p_u/c/1.log", cri("fine"));
  for (const bool follow : {false, true}) {
    spec.inputs = {"pods"};
    spec.read.follow = follow;
    start();
    // Whoever waits to write is not woken, not even for a moment.
    const base::UniqueFd fd(::open((dir / "pods/n_p_u/c/0.log").c_str(), O_WRONLY | O_NONBLOCK));
    EXPECT_FALSE(fd);
    if (follow) {
      wait_for(1);
      stop();
    } else {
      thread.join();
    }
    EXPECT_THAT(lines(), ElementsAre("fine"));
    EXPECT_THAT(context.diagnostics.said(), testing::Contains(testing::HasSubstr("0.log: not a regular file")));
    chain.clear();
  }
}

TEST_F(TailFifo, HasNoPosition) {
  make("fifo");
  spec.inputs = {"fifo"};
  spec.checkpoint = "/some/spool.db";
  all();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::usage);
}

TEST_F(Tail, FollowingNothingSaysWhatThereIs) {
  dir.write("pods/checkout_web_u1/app/0.log", cri("1"));
  spec.inputs = {"pods"};
  spec.selection.namespaces = {"chekout"};
  spec.read.follow = true;
  start();
  wait([&] { return context.diagnostics.said().size() >= 3; });
  dir.write("pods/chekout_web_u2/app/0.log", cri("2"));
  wait_for(1);
  stop();
  EXPECT_THAT(lines(), ElementsAre("2"));
  EXPECT_THAT(context.diagnostics.said(),
              ElementsAre(testing::HasSubstr("no positions are kept"),
                          fmt::format("no namespace 'chekout' in {}; did you mean 'checkout'?", dir / "pods"),
                          "waiting for a log that matches"));
}

TEST_F(Tail, FollowingAnEmptyFolderSaysSo) {
  std::filesystem::create_directories(dir / "pods");
  spec.inputs = {"pods"};
  spec.read.follow = true;
  start();
  wait([&] { return context.diagnostics.said().size() >= 3; });
  stop();
  EXPECT_EQ(context.diagnostics.said()[1], fmt::format("there is no log file in {}", dir / "pods"));
}

// A missing name that was given is told by itself.
TEST_F(Tail, FollowingAMissingFileSaysSoOnce) {
  spec.inputs = {"a.log"};
  spec.read.follow = true;
  start();
  wait([&] { return context.diagnostics.said().size() >= 2; });
  dir.write("a.log", "1\n");
  wait_for(1);
  stop();
  EXPECT_THAT(context.diagnostics.said(),
              ElementsAre(testing::HasSubstr("no positions"), fmt::format("{} does not exist yet: waiting for it", dir / "a.log")));
}

TEST_F(Tail, NothingThatMatchesIsNoted) {
  bool nothing = false;
  dir.write("pods/checkout_web_u1/app/0.log", cri("1"));
  spec.inputs = {"pods"};
  spec.selection.pods = {"wbe"};
  spec.nothing_matched = &nothing;
  EXPECT_THAT(all(), ElementsAre());
  EXPECT_TRUE(result);
  EXPECT_TRUE(nothing);
  EXPECT_THAT(context.diagnostics.said(), ElementsAre(fmt::format("no pod 'wbe' in {}; did you mean 'web'?", dir / "pods")));
}

class TailStdin : public Tail {
 protected:
  TailStdin() {
    int fds[2];
    if (::pipe(fds) != 0) throw std::runtime_error("no pipe");
    spec.inputs = {"-"};
    spec.stdin_fd = fds[0];
    in = base::UniqueFd(fds[0]);
    out = base::UniqueFd(fds[1]);
  }
  void write(std::string_view text) const {
    ASSERT_EQ(::write(out.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  base::UniqueFd in, out;
};

TEST_F(TailStdin, PlainTextLineByLine) {
  start();
  write("one\ntw");
  wait_for(1);
  write("o\nthree");
  wait_for(2);
  out.reset();
  thread.join();
  EXPECT_THAT(lines(), ElementsAre("one", "two", "three"));
  EXPECT_THAT(collector->lines().front(), testing::Not(testing::HasSubstr("labels")));
}

TEST_F(TailStdin, CriLines) {
  start();
  write(cri("one", "stderr") + cri("tw", "stdout", 'P') + cri("o"));
  out.reset();
  thread.join();
  EXPECT_THAT(lines(), ElementsAre("one", "two"));
  EXPECT_THAT(collector->lines().front(), testing::HasSubstr("\"labels\":{\"stream\":\"stderr\"}"));
}

TEST_F(TailStdin, AByteOrderMarkIsLeftOut) {
  start();
  write("\xef\xbb");
  write("\xbf" + cri("one") + "\xef\xbb\xbf\n");
  out.reset();
  thread.join();
  EXPECT_THAT(lines(), ElementsAre("one", "\xef\xbb\xbf"));
}

TEST_F(TailStdin, Utf16IsAnError) {
  start();
  write(std::string_view("\xff\xfeh\0i\0\n\0", 8));
  out.reset();
  thread.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::io);
  EXPECT_TRUE(lines().empty());
}

TEST_F(TailStdin, WhatIsOpenComesOutAfterAWhile) {
  spec.read.patience = 50 * base::kMillisecond;
  start();
  write("one\nprompt> ");
  wait_for(2);
  write("\ntwo\n");
  wait_for(3);
  EXPECT_THAT(lines(), ElementsAre("one", "prompt> ", "two"));
}

TEST_F(TailStdin, ZerosAreAGap) {
  start();
  write("one\n" + std::string(100, '\0') + "two\n");
  out.reset();
  thread.join();
  EXPECT_THAT(lines(), ElementsAre("one", testing::HasSubstr("weir: 100 bytes of the input from byte 4 on are lost"), "two"));
}

TEST_F(TailStdin, StopsWhenAsked) {
  start();
  write("one\n");
  wait_for(1);
  stop();
  EXPECT_TRUE(result);
}

TEST_F(TailStdin, ManyTinyLines) {
  start();
  const std::string text(100'000, '\n');
  std::thread writer([&] {
    for (std::size_t at = 0; at < text.size();)
      at += static_cast<std::size_t>(std::max<ssize_t>(0, ::write(out.get(), text.data() + at, text.size() - at)));
    out.reset();
  });
  thread.join();
  writer.join();
  EXPECT_EQ(lines().size(), text.size());
}

}  // namespace
}  // namespace weir::stages
