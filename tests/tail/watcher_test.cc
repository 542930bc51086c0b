#include "tail/watcher.h"

#include "tail/log_harness.h"
#include "tail/watch_harness.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace weir::tail {
namespace {

TEST_F(Watch, WhatIsThereAndWhatIsWritten) {
  dir.write("pods/shop_web_u/app/0.log", "one\n");
  start({"pods"});
  ASSERT_EQ(generations("pods/shop_web_u/app/0.log"), 1);
  EXPECT_TRUE(log("pods/shop_web_u/app/0.log").initial);
  dir.write("pods/shop_web_u/app/0.log", "two\n", true);
  wait([&] { return log("pods/shop_web_u/app/0.log").changes > 0; });
}

TEST_F(Watch, WhatKeepsComingIsToldAFewTimesASecond) {
  times.spacing = 300 * base::kMillisecond;
  dir.write("a.log", "0");
  start({"a.log"});
  const auto begin = std::chrono::steady_clock::now();
  for (int told = 1; told <= 2; ++told) {
    dir.write("a.log", "x", true);
    wait([&] { return log("a.log").changes == told; });
  }
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::nanoseconds(times.gather + times.spacing));
}

// Whether this process asks inotify for what is written to any file in the folder.
bool asks_for_writing(const std::string& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return false;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(fd.path());
    for (std::string line; std::getline(info, line);) {
      unsigned long watch = 0, inode = 0, device = 0, mask = 0;
      if (std::sscanf(line.c_str(), "inotify wd:%lx ino:%lx sdev:%lx mask:%lx", &watch, &inode, &device, &mask) == 4 &&
          inode == status.st_ino && (mask & IN_MODIFY) != 0) {
        return true;
      }
    }
  }
  return false;
}

TEST_F(Watch, WhatIsWrittenAllTheTimeIsToldWithoutEventsUntilItIsQuiet) {
  dir.write("d/a.log", "0");
  dir.write("d/b.log", "0");
  start({"d/*.log"});
  ASSERT_EQ(generations("d/a.log"), 1);
  EXPECT_TRUE(asks_for_writing(dir / "d"));
  // Of two files, so that no two events in a row are one.
  wait([&] {
    for (int i = 0; i < 100; ++i) dir.write(i % 2 == 0 ? "d/a.log" : "d/b.log", "x", true);
    return !asks_for_writing(dir / "d");
  });
  // While the reader finds something it is told without them.
  for (std::uint64_t place = 1; place <= 5; ++place) {
    const int before = log("d/a.log").changes;
    for (const auto& file : files) file->set_place(place);
    wait([&] { return log("d/a.log").changes > before; });
  }
  // And then they are asked for again, with one more look, which finds what came before.
  wait([&] { return asks_for_writing(dir / "d"); });
  const int before = log("d/b.log").changes;
  dir.write("d/b.log", "x", true);
  wait([&] { return log("d/b.log").changes > before; });
}

TEST_F(Watch, AFolderThatGoesWhileItIsWrittenToAllTheTime) {
  dir.write("d/a.log", "0");
  dir.write("d/b.log", "0");
  start({"d/*.log"});
  wait([&] {
    for (int i = 0; i < 100; ++i) dir.write(i % 2 == 0 ? "d/a.log" : "d/b.log", "x", true);
    return !asks_for_writing(dir / "d");
  });
  std::filesystem::rename(dir / "d", dir / "e");
  dir.write("d/a.log", "1");
  wait([&] { return generations("d/a.log") == 2; });
  const int before = log("d/a.log").changes;
  EXPECT_TRUE(asks_for_writing(dir / "d"));
  dir.write("d/a.log", "x", true);
  wait([&] { return log("d/a.log").changes > before; });
}

TEST_F(Watch, PodsThatAppearAndGoAtOnce) {
  std::filesystem::create_directories(dir / "pods");
  start({"pods"});
  dir.write("pods/shop_web_u/app/0.log", "short life\n");
  wait([&] { return generations("pods/shop_web_u/app/0.log") == 1; });
  EXPECT_FALSE(log("pods/shop_web_u/app/0.log").initial);
  std::filesystem::remove_all(dir / "pods/shop_web_u");
  wait([&] { return log("pods/shop_web_u/app/0.log").missing; });
  // What was opened stays readable.
  std::string text(11, '\0');
  EXPECT_EQ(*files.back()->read(0, text.data(), text.size()), 11U);
  EXPECT_EQ(text, "short life\n");
}

TEST_F(Watch, EveryGeneration) {
  dir.write("a.log", "0");
  start({"a.log"});
  for (int i = 1; i <= 5; ++i) {
    std::filesystem::rename(dir / "a.log", dir / fmt::format("a.log.20240501-{:06}", i));
    dir.write("a.log", fmt::format("{}", i));
    wait([&] { return generations("a.log") == i + 1; });
  }
  EXPECT_EQ(generations("a.log"), 6);
}

TEST_F(Watch, EveryGenerationInOrderHoweverFastItGoes) {
  constexpr int kRotations = 60;
  for (const bool compresses : {false, true}) {
    SCOPED_TRACE(compresses);
    const std::string folder = compresses ? "z" : "d";
    const auto rotated = [&](int i) { return dir / fmt::format("{}/a.log.20240501-{:06}", folder, i); };
    dir.write(folder + "/a.log", "0");
    files.clear();
    logs.clear();
    numbers.clear();
    complete = false;
    start({folder});
    for (int i = 1; i <= kRotations; ++i) {
      if (compresses && i > 1) {  // as the kubelet does, just before it rotates
        write_gzip(rotated(i - 1) + ".gz", fmt::format("{}", i - 2));
        std::filesystem::remove(rotated(i - 1));
      }
      std::filesystem::rename(dir / (folder + "/a.log"), rotated(i));
      dir.write(folder + "/a.log", fmt::format("{}", i));
    }
    wait([&] { return generations(folder + "/a.log") >= kRotations + 1; });
    take();
    std::vector<int> order;
    for (const auto& file : files) {
      std::string text(10, '\0');
      text.resize(*file->read(0, text.data(), text.size()));
      order.push_back(std::stoi(text));
    }
    std::vector<int> all(kRotations + 1);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(order, all);
    EXPECT_EQ(log(folder + "/a.log").lost, 0U);
  }
}

TEST_F(Watch, OlderRotationsAreNoGenerations) {
  dir.write("d/a.log.2", "older");
  dir.write("d/a.log.1", "old");
  dir.write("d/a.log", "0");
  start({"d"});
  std::filesystem::remove(dir / "d/a.log");  // by hand: there is nothing left of it
  wait([&] { return log("d/a.log").missing; });
  dir.write("d/a.log", "1");
  wait([&] { return generations("d/a.log") == 2; });
  EXPECT_EQ(files.size(), 2U);
}

TEST_F(Watch, DeletedFilesAreBoundedThoughNobodyReads) {
  held = std::make_unique<HeldFiles>(1000, diagnostics);
  for (int i = 0; i < 4; ++i) dir.write(fmt::format("pods/shop_web-{}_u/app/0.log", i), std::string(400, 'x'));
  start({"pods"});
  ASSERT_EQ(files.size(), 4U);
  for (int i = 0; i < 4; ++i) std::filesystem::remove_all(dir / fmt::format("pods/shop_web-{}_u", i));
  const auto given_up = [&] { return std::ranges::count_if(files, [](const auto& file) { return file->given_up().has_value(); }); };
  wait([&] { return given_up() == 2; });
  EXPECT_THAT(diagnostics.said(), testing::SizeIs(2));
}

TEST_F(Watch, WhatIsWrittenIsMeasuredWhileNobodyReads) {
  dir.write("d/a.log", "one\n");
  start({"d"});
  dir.write("d/a.log", "two\n", true);
  wait([&] { return log("d/a.log").changes > 0; });
  const base::Monotonic deadline = base::Clock::system().monotonic() + 20 * base::kSecond;
  // The first change is told, and nobody takes it; those that follow are measured.
  while (files.front()->noted_size() <= 8) {
    dir.write("d/a.log", "more\n", true);
    ASSERT_LT(base::Clock::system().monotonic(), deadline);
    ::poll(nullptr, 0, 5);
  }
}

TEST_F(Watch, RotatedNamesAreNoLogs) {
  dir.write("d/a.log", "x");
  dir.write("d/a.log.1", "y");
  start({"d", "d/*"});
  std::filesystem::rename(dir / "d/a.log", dir / "d/a.log.2");
  wait([&] { return log("d/a.log").missing; });
  dir.write("d/a.log", "z");
  wait([&] { return generations("d/a.log") == 2; });
  EXPECT_EQ(numbers.size(), 1U);
}

TEST_F(Watch, WritesToARotatedFileBelongToItsLog) {
  dir.write("d/a.log", "x");
  start({"d"});
  std::filesystem::rename(dir / "d/a.log", dir / "d/a.log.1");
  wait([&] { return log("d/a.log").missing; });
  dir.write("d/a.log.1", "y", true);
  wait([&] { return log("d/a.log").changes > 0; });
}

TEST_F(Watch, RenameThatIsUndone) {
  dir.write("d/a.log", "x");
  start({"d"});
  std::filesystem::rename(dir / "d/a.log", dir / "d/a.log.1");
  wait([&] { return log("d/a.log").missing; });
  std::filesystem::rename(dir / "d/a.log.1", dir / "d/a.log");
  wait([&] { return !log("d/a.log").missing; });
  // Told again, for the reader to compare.
  EXPECT_EQ(generations("d/a.log"), 2);
  EXPECT_EQ(files.front()->inode(), files.back()->inode());
}

TEST_F(Watch, FilesAndFoldersThatAreNotThereYet) {
  start({"later/deep/a.log", "pods2/*_*_*/*/0.log"});
  EXPECT_EQ(awaited, std::vector<std::string>{});  // only a file whose folder is there can be missed by name
  dir.write("later/deep/a.log", "x");
  dir.write("pods2/a_b_c/d/0.log", "y");
  wait([&] { return generations("later/deep/a.log") == 1 && generations("pods2/a_b_c/d/0.log") == 1; });
}

TEST_F(Watch, AwaitedFileIsNamed) {
  start({"a.log"});
  EXPECT_EQ(awaited, std::vector<std::string>{dir / "a.log"});
  dir.write("a.log", "x");
  wait([&] { return generations("a.log") == 1; });
}

TEST_F(Watch, FolderThatComesAgain) {
  dir.write("d/a.log", "1");
  start({"d"});
  std::filesystem::remove_all(dir / "d");
  wait([&] { return log("d/a.log").missing; });
  watcher->forget(numbers["d/a.log"]);
  files.clear();  // the kernel tells of the folder's end when nobody holds a file of it
  dir.write("d/a.log", "2");
  wait([&] { return !log("d/a.log").missing && files.size() == 1; });
}

TEST_F(Watch, FolderBelowThatComesAgainWhileItsFileIsHeld) {
  dir.write("pods/shop_web_u/app/0.log", "1");
  start({"pods"});
  std::filesystem::remove_all(dir / "pods/shop_web_u/app");
  wait([&] { return log("pods/shop_web_u/app/0.log").missing; });
  dir.write("pods/shop_web_u/app/0.log", "2");
  wait([&] { return !log("pods/shop_web_u/app/0.log").missing && files.size() == 2; });
  // And it is the new folder that is watched.
  dir.write("pods/shop_web_u/app/1.log", "3");
  wait([&] { return generations("pods/shop_web_u/app/1.log") == 1; });
}

TEST_F(Watch, RescanFindsAnotherFolderUnderTheSamePath) {
  dir.write("d/a.log", "1");
  times.rescan = 50 * base::kMillisecond;
  start({"d"});
  std::filesystem::remove_all(dir / "d");  // its file is held, so that no event tells of it
  dir.write("d/a.log", "2");
  wait([&] { return files.size() == 2; });
  dir.write("d/b.log", "3");
  wait([&] { return generations("d/b.log") == 1; });
}

TEST_F(Watch, SelectionIsMadeBeforeAFolderIsWatched) {
  std::filesystem::create_directories(dir / "pods");
  Selection selection;
  selection.exclude_namespaces = {"noisy"};
  start({"pods"}, selection);
  dir.write("pods/noisy_a_u/app/0.log", "x");
  dir.write("pods/shop_a_u/app/0.log", "x");
  wait([&] { return generations("pods/shop_a_u/app/0.log") == 1; });
  EXPECT_EQ(numbers.size(), 1U);
}

TEST_F(Watch, LinksAreFollowedToThePodLayout) {
  const std::string name = "web_shop_app-" + std::string(64, 'a') + ".log";
  std::filesystem::create_directories(dir / "containers");
  start({"containers"});
  dir.write("pods/shop_web_u/app/0.log", "x");
  std::filesystem::create_symlink(dir / "pods/shop_web_u/app/0.log", dir / ("containers/" + name));
  wait([&] { return generations("pods/shop_web_u/app/0.log") == 1; });
  dir.write("pods/shop_web_u/app/0.log", "y", true);
  wait([&] { return log("pods/shop_web_u/app/0.log").changes > 0; });
  EXPECT_EQ(numbers.size(), 1U);
}

TEST_F(Watch, LinksOutOfThePodLayoutAreWatchedWhereTheyLead) {
  dir.write("docker/id-json.log", "x");
  std::filesystem::create_directories(dir / "pods/shop_web_u/app");
  std::filesystem::create_symlink(dir / "docker/id-json.log", dir / "pods/shop_web_u/app/0.log");
  start({"pods"});
  ASSERT_EQ(generations("pods/shop_web_u/app/0.log"), 1);
  dir.write("docker/id-json.log", "y", true);
  wait([&] { return log("pods/shop_web_u/app/0.log").changes > 0; });
  std::filesystem::rename(dir / "docker/id-json.log", dir / "docker/id-json.log.1");
  dir.write("docker/id-json.log", "z");
  wait([&] { return generations("pods/shop_web_u/app/0.log") == 2; });
}

TEST_F(Watch, RescanIsASafetyNet) {
  // Through a second name of the file in a folder that is not watched: no event tells of what is written.
  dir.write("d/a.log", "x");
  std::filesystem::create_directories(dir / "elsewhere");
  std::filesystem::create_hard_link(dir / "d/a.log", dir / "elsewhere/b");
  times.rescan = 50 * base::kMillisecond;
  start({"d"});
  dir.write("elsewhere/b", "y", true);
  wait([&] { return log("d/a.log").changes > 0; });
}

}  // namespace
}  // namespace weir::tail
