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
    for (int old = i - 1; old >= 1; --old) fs::rename(dir / fmt::format("d/server.{}.log", old), dir / fmt::format("d/server.{}.log", old + 1));
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
    const record::Generation generation{number, *(*InputFile::open(dir / name))->identify(1024, 0), done};
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

}  // namespace
}  // namespace weir::tail
