// One file, several names: it is followed once.
#include "tail/watch_harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace weir::tail {
namespace {

namespace fs = std::filesystem;

class Alias : public Watch {
 protected:
  void written(const std::string& file, const std::string& log_name) {
    const int before = log(log_name).changes;
    dir.write(file, "more\n", true);
    wait([&] { return log(log_name).changes > before; });
  }
  // All that happened is seen when a later file is.
  void settle() {
    const std::string name = fmt::format("d/zz-{}.log", ++settled);
    dir.write(name, "x");
    wait([&] { return generations(name) == 1; });
  }
  int logs_of_interest() { return static_cast<int>(numbers.size()) - settled; }
  void read_out() {
    for (const auto& file : files) file->set_place(file->status().size);
  }
  int settled = 0;
};

TEST_F(Alias, RotatedNamesThatKeepTheExtension) {
  for (const std::string rotated : {"server-2026-01-02T03-04-05.000.log", "server.1.log", "server.2026-01-02.log", "other.log"}) {
    dir.write("d/server.log", "first\n");
    watcher.reset();
    start({"d"});
    const int before = generations("d/server.log");
    fs::rename(dir / "d/server.log", dir / ("d/" + rotated));
    dir.write("d/server.log", "second\n");
    wait([&] { return generations("d/server.log") == before + 1; });
    settle();
    EXPECT_FALSE(numbers.contains("d/" + rotated)) << rotated;
    written("d/" + rotated, "d/server.log");
    EXPECT_EQ(log("d/server.log").lost, 0U);
    fs::remove_all(dir / "d");
    files.clear();
    numbers.clear();
    logs.clear();
    complete = false;
    settled = 0;
  }
}

TEST_F(Alias, RotatedAgainAndAgain) {
  dir.write("d/server.log", "0\n");
  start({"d"});
  for (int i = 1; i <= 6; ++i) {
    for (int old = i - 1; old >= 1; --old)
      fs::rename(dir / fmt::format("d/server.{}.log", old), dir / fmt::format("d/server.{}.log", old + 1));
    fs::rename(dir / "d/server.log", dir / "d/server.1.log");
    dir.write("d/server.log", fmt::format("{}\n", i));
    wait([&] { return generations("d/server.log") == i + 1; });
    if (i > 3) files.erase(files.begin(), files.end() - 2);  // the reader is done with the others
  }
  settle();
  EXPECT_EQ(logs_of_interest(), 1);
  EXPECT_EQ(log("d/server.log").lost, 0U);
}

TEST_F(Alias, ManyGenerationsFasterThanAnybodyLooks) {
  dir.write("d/server.log", "0\n");
  start({"d"});
  constexpr int kRotations = 40;
  for (int i = 1; i <= kRotations; ++i) {
    fs::rename(dir / "d/server.log", dir / fmt::format("d/server-2026-01-01T00-00-{:02}.log", i));
    dir.write("d/server.log", fmt::format("{}\n", i));
  }
  wait([&] { return generations("d/server.log") == kRotations + 1; });
  settle();
  EXPECT_EQ(logs_of_interest(), 1);
  EXPECT_EQ(log("d/server.log").lost, 0U);
  std::vector<std::uint64_t> inodes;
  for (const auto& file : files) {
    char text[8] = {};
    auto got = file->read(0, text, sizeof text);
    ASSERT_TRUE(got);
    if (std::string_view(text, *got) == "x") continue;
    EXPECT_EQ(std::string_view(text, *got), fmt::format("{}\n", inodes.size()));
    inodes.push_back(file->inode());
  }
  EXPECT_EQ(inodes.size(), kRotations + 1U);
}

TEST_F(Alias, MovedAwayAndNothingInItsPlace) {
  dir.write("d/server.log", "first\n");
  start({"d"});
  fs::rename(dir / "d/server.log", dir / "d/other.log");
  wait([&] { return log("d/server.log").missing; });
  settle();
  EXPECT_EQ(logs_of_interest(), 1);
  written("d/other.log", "d/server.log");
  dir.write("d/server.log", "second\n");
  wait([&] { return generations("d/server.log") == 2; });
}

TEST_F(Alias, HardLinks) {
  dir.write("d/server.log", "first\n");
  fs::create_hard_link(dir / "d/server.log", dir / "d/before.log");  // comes first by its name
  start({"d"});
  EXPECT_EQ(numbers.size(), 1U);
  fs::create_hard_link(dir / "d/server.log", dir / "d/later.log");
  settle();
  EXPECT_EQ(logs_of_interest(), 1);
  fs::remove(dir / "d/later.log");
  dir.write("d/later.log", "another file\n");
  wait([&] { return generations("d/later.log") == 1; });
}

TEST_F(Alias, ALogThatIsGoneKeepsItsRotations) {
  dir.write("d/server.log", "first\n");
  start({"d"});
  fs::rename(dir / "d/server.log", dir / "d/server-1.log");
  dir.write("d/server.log", "second\n");
  wait([&] { return generations("d/server.log") == 2; });
  settle();
  fs::remove(dir / "d/server.log");
  wait([&] { return log("d/server.log").missing; });
  files.clear();
  watcher->forget(numbers["d/server.log"]);
  settle();
  fs::rename(dir / "d/server-1.log", dir / "d/server-2.log");
  settle();
  EXPECT_EQ(logs_of_interest(), 1);
  fs::remove(dir / "d/server-2.log");
  settle();
  const std::uint32_t before = numbers["d/server.log"];
  dir.write("d/server.log", "third\n");
  wait([&] { return numbers["d/server.log"] != before; });  // all of it was forgotten
  EXPECT_EQ(logs_of_interest(), 1);
}

TEST_F(Alias, WhoWritesOnToARotatedFileHasALogFromThereOn) {
  dir.write("d/server.log", "first\n");
  start({"d"});
  fs::rename(dir / "d/server.log", dir / "d/other.log");
  dir.write("d/server.log", "second\n");
  wait([&] { return generations("d/server.log") == 2; });
  settle();
  read_out();
  files.clear();  // the reader has finished the old one
  dir.write("d/other.log", "more\n", true);
  wait([&] { return generations("d/other.log") == 1; });
  EXPECT_EQ(log("d/other.log").offset, 6U);
  written("d/other.log", "d/other.log");
}

TEST_F(Alias, ItsOtherNamesAreThenThatLogs) {
  dir.write("d/server.log", "first\n");
  fs::create_hard_link(dir / "d/server.log", dir / "d/link.log");
  fs::create_directories(dir / "d/shop_far_u/app");
  fs::create_hard_link(dir / "d/server.log", dir / "d/shop_far_u/app/third.log");
  start({"d"});
  const std::string first = numbers.begin()->first;  // whichever was met first
  const std::string other = first == "d/link.log" ? "d/server.log" : "d/link.log";
  fs::remove(dir / first);
  dir.write(first, "second\n");
  wait([&] { return generations(first) == 2; });
  settle();
  read_out();
  files.clear();
  dir.write(other, "more\n", true);
  wait([&] { return logs_of_interest() == 2; });
  for (const std::string& name : {std::string("d/shop_far_u/app/third.log"), other}) {
    const int before = generations("d/shop_far_u/app/third.log") + generations(other);
    dir.write(name, "and more\n", true);
    const auto& log_name = numbers.contains(other) ? other : "d/shop_far_u/app/third.log";
    wait([&] { return log(log_name).changes > 0; });
    EXPECT_EQ(generations("d/shop_far_u/app/third.log") + generations(other), before);
    logs[numbers[log_name]].changes = 0;
  }
}

// Positions know the last few finished files of a log.
TEST_F(Alias, AnOldFileHasALogOfItsOwnFromItsEnd) {
  for (const bool pod : {false, true}) {
    const std::string folder = pod ? "d/shop_web_u/app/" : "d/", live = folder + (pod ? "0.log" : "server.log");
    const auto rotated = [&](int i) { return folder + (pod ? fmt::format("0-r{}.log", i) : fmt::format("old{}.log", i)); };
    dir.write(live, "file 0\n");
    watcher.reset();
    complete = false;
    start({"d"});
    for (int i = 1; i <= 10; ++i) {
      read_out();
      const auto latest =
          std::ranges::find(files.rbegin(), files.rend(), dir / live, [](const auto& file) { return file->path(); });
      files = {*latest};  // the reader is done with the others
      fs::rename(dir / live, dir / rotated(i));
      dir.write(live, fmt::format("file {}\n", i));
      ASSERT_NO_FATAL_FAILURE(wait([&] { return generations(live) == i + 1; })) << live << i;
    }
    ASSERT_NO_FATAL_FAILURE(wait([&] { return generations(rotated(3)) == 1; }));
    EXPECT_EQ(log(rotated(1)).offset, 7U);
    EXPECT_EQ(log(live).lost, 0U);
    EXPECT_FALSE(numbers.contains(rotated(6)));
    files.clear();
    logs.clear();
    numbers.clear();
    fs::remove_all(dir / "d");
  }
}

TEST_F(Alias, TwoPathsToOneFolder) {
  dir.write("d/pods/shop_a_u/app/0.log", "x");
  fs::create_directory_symlink(dir / "d/pods", dir / "link");
  start({"d/pods", "link"});
  EXPECT_EQ(numbers.size(), 1U);
  for (int i = 0; i < 8; ++i) {
    const std::string pod = fmt::format("shop_brief-{}_u", i);
    dir.write("d/pods/" + pod + "/app/0.log", "x");
    // The path that saw it first names it.
    const auto name = [&] { return (numbers.contains("link/" + pod + "/app/0.log") ? "link/" : "d/pods/") + pod + "/app/0.log"; };
    wait([&] { return generations(name()) == 1; });
    dir.write("d/pods/" + pod + "/app/0.log", "y", true);
    wait([&] { return log(name()).changes > 0; });
    fs::remove_all(dir / ("d/pods/" + pod));
    wait([&] { return log(name()).missing; });
    watcher->forget(numbers[name()]);
  }
  EXPECT_EQ(numbers.size(), 9U);
  // The link goes, the folder is watched on.
  fs::remove(dir / "link");
  dir.write("d/pods/shop_z_u/app/0.log", "x");
  wait([&] { return generations("d/pods/shop_z_u/app/0.log") == 1; });
  written("d/pods/shop_z_u/app/0.log", "d/pods/shop_z_u/app/0.log");
}

TEST_F(Alias, ALinkBesideAPod) {
  dir.write("pods/shop_web_u/app/0.log", "x");
  fs::create_directory_symlink(dir / "pods/shop_web_u", dir / "pods/evil_pod_u");
  start({"pods"});
  ASSERT_EQ(numbers.size(), 1U);
  EXPECT_EQ(generations("pods/shop_web_u/app/0.log"), 1);  // under the pod's own name
  fs::remove(dir / "pods/evil_pod_u");
  fs::rename(dir / "pods/shop_web_u/app/0.log", dir / "pods/shop_web_u/app/0.log.1");
  dir.write("pods/shop_web_u/app/0.log", "y");
  wait([&] { return generations("pods/shop_web_u/app/0.log") == 2; });
}

TEST_F(Alias, ALinkToAFolderOutsideIsToldOnceAndNotEntered) {
  dir.write("secret/app/0.log", "x");
  dir.write("pods/shop_web_u/app/0.log", "x");
  fs::create_directory_symlink(dir / "secret", dir / "pods/a_b_c");
  const LogRoots roots({dir / "pods"}, {});
  times.rescan = 50 * base::kMillisecond;
  start({"pods"}, {}, {&roots, {}});
  dir.write("pods/shop_x_u/app/0.log", "x");
  wait([&] { return generations("pods/shop_x_u/app/0.log") == 1; });
  EXPECT_EQ(numbers.size(), 2U);
  EXPECT_EQ(unreadable, (std::vector<std::string>{dir / "pods/a_b_c"}));
}

// -- after a restart --

class AliasResumed : public Alias {
 protected:
  record::Positions positions;
  void position(const std::string& name, std::uint32_t number, bool done, std::uint64_t offset = 0) {
    record::LogPosition& log = positions[dir / name];
    record::Generation generation{number, *(*InputFile::open(dir / name))->identify(1024, 0), done};
    generation.end = done ? fs::file_size(dir / name) : offset;
    (done ? log.finished : log.generations).push_back(generation);
    if (!done) log.resume = {number, offset};
  }
  void restart() {
    start({"d"}, {}, {nullptr, KnownFiles(positions)});
    settle();
  }
};

TEST_F(AliasResumed, RotatedWhileNothingRan) {
  dir.write("d/server.log", "first\n");
  position("d/server.log", 1, false);
  fs::rename(dir / "d/server.log", dir / "d/server-2026-01-01.log");
  dir.write("d/server-2026-01-02.log", "second\n");
  dir.write("d/server.log", "third\n");
  dir.write("d/server-b.log", "another one\n");
  restart();
  EXPECT_EQ(generations("d/server.log"), 1);
  EXPECT_FALSE(numbers.contains("d/server-2026-01-01.log"));
  EXPECT_FALSE(numbers.contains("d/server-2026-01-02.log"));  // resume() reads it
  EXPECT_TRUE(numbers.contains("d/server-b.log"));
}

TEST_F(AliasResumed, MovedWhileNothingRan) {
  dir.write("d/server.log", "first\n");
  position("d/server.log", 1, false);
  fs::rename(dir / "d/server.log", dir / "d/other.log");
  restart();
  EXPECT_EQ(logs_of_interest(), 1);
  EXPECT_EQ(generations("d/server.log"), 1);
  EXPECT_TRUE(log("d/server.log").missing);
  written("d/other.log", "d/server.log");
}

TEST_F(AliasResumed, WhatWasReadIsNotReadAgain) {
  dir.write("d/server-1.log", "first\n");
  dir.write("d/server-2.log", "second\n");
  dir.write("d/server.log", "third\n");
  dir.write("d/server-3.log", "a second server's\n");
  fs::last_write_time(dir / "d/server-1.log", fs::file_time_type::clock::now() - std::chrono::hours(1));
  fs::last_write_time(dir / "d/server-2.log", fs::file_time_type::clock::now() - std::chrono::hours(2));
  record::LogPosition& log_position = positions[dir / "d/server.log"];
  log_position.finished = {{7, *(*InputFile::open(dir / "d/server-1.log"))->identify(1024, 0), true}};
  position("d/server.log", 8, false);
  restart();
  EXPECT_EQ(generations("d/server.log"), 1);
  EXPECT_FALSE(numbers.contains("d/server-1.log"));
  EXPECT_FALSE(numbers.contains("d/server-2.log"));  // older than one that was read, by its name and its time
  EXPECT_TRUE(numbers.contains("d/server-3.log"));   // written since
}

struct Finished {
  const char* what;
  const char* name;           // of the file, which was one of 0.log's
  bool live = true;           // 0.log is there
  bool added = false;         // something was added to it while nothing ran
  bool gone = false;          // the log has ended
  bool deleted_last = false;  // it is the log's last file, so that it was deleted: this one has its inode and its beginning
  int newer = 1;              // later generations that are known
  bool own_log = false;       // expected: a log of its own …
  bool from_end = true;       // … from where it was read to
};

class FinishedFile : public AliasResumed, public testing::WithParamInterface<Finished> {};

TEST_P(FinishedFile, IsNotReadAgain) {
  const Finished& one = GetParam();
  const std::string folder = "d/shop_web_u/app/", name = folder + one.name, key = folder + "0.log";
  dir.write(name, "2026-01-01T00:00:00.000000001Z stdout F first\n");
  position(name, 1, true);
  record::LogPosition known = positions.extract(positions.begin()).mapped();
  const std::uint64_t end = known.finished[0].end;
  known.gone = one.gone;
  if (one.gone) known.finished[0].end += 4;  // LogReader::finish_front
  if (one.added) dir.write(name, "2026-01-01T00:00:00.000000002Z stdout F added\n", true);
  dir.write(key, "2026-01-01T00:00:00.000000003Z stdout F live\n");
  for (int i = 0; i < one.newer && !one.deleted_last; ++i) {
    position(key, static_cast<std::uint32_t>(i + 2), i + 1 < one.newer || one.gone);
    for (auto* list : {&positions[dir / key].finished, &positions[dir / key].generations}) {
      auto& to = list == &positions[dir / key].finished ? known.finished : known.generations;
      to.insert(to.end(), list->begin(), list->end());
      list->clear();
    }
    known.resume = positions[dir / key].resume;
  }
  if (one.gone) known.resume = {1, 0};
  positions[dir / key] = known;
  if (!one.live) fs::remove(dir / key);
  restart();
  EXPECT_EQ(numbers.contains(name), one.own_log);
  EXPECT_EQ(log(name).offset, one.own_log && one.from_end ? end : 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, FinishedFile,
    testing::Values(Finished{.what = "Date", .name = "0-2026-01-01.log"}, Finished{.what = "Count", .name = "0.1.log"},
                    Finished{.what = "Turn", .name = "0-r1.log"}, Finished{.what = "Odd", .name = "old1.log"},
                    Finished{.what = "Added", .name = "0-r1.log", .added = true, .own_log = true},
                    Finished{.what = "NoLive", .name = "0-r1.log", .live = false, .own_log = true},
                    Finished{.what = "Gone", .name = "0-r1.log", .live = false, .gone = true, .own_log = true},
                    Finished{.what = "GoneAdded", .name = "0-r1.log", .live = false, .added = true, .gone = true, .own_log = true},
                    Finished{.what = "GoneInode",
                             .name = "7.log",
                             .live = false,
                             .gone = true,
                             .deleted_last = true,
                             .own_log = true,
                             .from_end = false},
                    Finished{.what = "Old", .name = "0-r1.log", .newer = 7, .own_log = true}),
    [](const auto& test) { return test.param.what; });

TEST_F(AliasResumed, AFileThatMovedAwayIsGivenToItsLog) {
  for (const std::string moved : {"d/shop_other_u/app/7.log", "d/shop_web_u/app/1.log"}) {
    dir.write("d/shop_web_u/app/0.log", "first\n");
    position("d/shop_web_u/app/0.log", 1, false, 6);
    fs::create_directories(dir / "d/shop_other_u/app");
    fs::rename(dir / "d/shop_web_u/app/0.log", dir / moved);
    dir.write(moved, "second\n", true);
    dir.write("d/shop_web_u/app/0.log", "third\n");
    fs::create_hard_link(dir / moved, dir / "d/shop_other_u/app/8.log");
    watcher.reset();
    complete = false;
    restart();
    EXPECT_EQ(log("d/shop_web_u/app/0.log").moved, 1U) << moved;
    EXPECT_EQ(generations("d/shop_web_u/app/0.log"), 1) << moved;
    EXPECT_FALSE(numbers.contains(moved));
    EXPECT_FALSE(numbers.contains("d/shop_other_u/app/8.log"));
    fs::remove_all(dir / "d");
    numbers.clear();
    logs.clear();
    positions.clear();
  }
}

}  // namespace
}  // namespace weir::tail
