#include "base/file_watch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

namespace weir::base {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "weir_file_watch.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  void replace(const std::string& name, const std::string& text) const {
    write(name + ".new", text);
    fs::rename(path(name + ".new"), path(name));
  }
  FileWatch& watch(std::vector<std::string> paths) {
    watch_.emplace(std::move(paths));
    watch_->remember();
    EXPECT_TRUE(watch_->attach(wake_));
    return *watch_;
  }
  [[nodiscard]] bool woken() {
    pollfd fd = {wake_.fd(), POLLIN, 0};
    const bool yes = ::poll(&fd, 1, 0) > 0;
    wake_.hear();
    return yes;
  }

  fs::path folder_;
  Wake wake_;
  std::optional<FileWatch> watch_;
};

TEST_F(FileWatchTest, IsQuietWhileNothingHappens) {
  write("rules", "a");
  FileWatch& watched = watch({path("rules")});
  EXPECT_FALSE(watched.changed(0));
  EXPECT_EQ(watched.due(), kNever);
  EXPECT_FALSE(woken());
}

TEST_F(FileWatchTest, ARenameCountsAtOnce) {
  write("rules", "a");
  FileWatch& watched = watch({path("rules")});
  replace("rules", "b");
  EXPECT_TRUE(woken());
  EXPECT_TRUE(watched.changed(5));
  EXPECT_FALSE(watched.changed(6));
  EXPECT_EQ(watched.due(), kNever);
  replace("rules", "c");
  EXPECT_TRUE(woken());
  EXPECT_TRUE(watched.changed(7));
}

TEST_F(FileWatchTest, AnEditInPlaceCountsWhenItHasSettled) {
  write("rules", "a");
  FileWatch& watched = watch({path("rules")});
  write("rules", "half a");
  EXPECT_TRUE(woken());
  EXPECT_FALSE(watched.changed(100));
  EXPECT_EQ(watched.due(), 100 + FileWatch::kSettle);
  write("rules", "half a rule");
  EXPECT_TRUE(woken());
  EXPECT_FALSE(watched.changed(200));
  EXPECT_FALSE(watched.changed(100 + FileWatch::kSettle));
  EXPECT_TRUE(watched.changed(200 + FileWatch::kSettle));
}

TEST_F(FileWatchTest, TheSwapOfAConfigMapCountsAtOnce) {
  fs::create_directory(path("..one"));
  fs::create_directory(path("..two"));
  write("..one/rules", "a");
  write("..two/rules", "b");
  fs::create_symlink("..one", path("..data"));
  fs::create_symlink("..data/rules", path("rules"));
  FileWatch& watched = watch({path("rules")});
  fs::create_symlink("..two", path("..data_tmp"));
  fs::rename(path("..data_tmp"), path("..data"));
  fs::remove_all(path("..one"));
  EXPECT_TRUE(woken());
  EXPECT_TRUE(watched.changed(1));
  // And what it leads to now is watched.
  write("..two/rules", "bb");
  EXPECT_TRUE(woken());
  EXPECT_FALSE(watched.changed(2));
  EXPECT_TRUE(watched.changed(2 + FileWatch::kSettle));
}

TEST_F(FileWatchTest, AFileThatGoesAndComesAgainCounts) {
  write("rules", "a");
  FileWatch& watched = watch({path("rules")});
  fs::remove(path("rules"));
  EXPECT_TRUE(woken());
  EXPECT_FALSE(watched.changed(0));
  EXPECT_TRUE(watched.changed(FileWatch::kSettle));
  write("rules", "b");
  EXPECT_TRUE(woken());
  EXPECT_FALSE(watched.changed(FileWatch::kSettle + 1));
  EXPECT_TRUE(watched.changed(2 * FileWatch::kSettle + 1));
}

TEST_F(FileWatchTest, AFolderThatComesLaterIsSeen) {
  FileWatch& watched = watch({path("later/rules")});
  fs::create_directory(path("later"));
  EXPECT_TRUE(woken());
  EXPECT_FALSE(watched.changed(0));
  write("later/rules", "a");
  EXPECT_TRUE(woken());
  EXPECT_FALSE(watched.changed(1));
  EXPECT_TRUE(watched.changed(1 + FileWatch::kSettle));
}

TEST_F(FileWatchTest, WhatHappensBetweenRememberAndAttachIsSeen) {
  write("rules", "a");
  watch_.emplace(std::vector{path("rules")});
  watch_->remember();
  replace("rules", "b");
  ASSERT_TRUE(watch_->attach(wake_));
  EXPECT_TRUE(watch_->changed(1));
}

TEST_F(FileWatchTest, AnEditInPlaceBetweenRememberAndAttachSettles) {
  write("rules", "a");
  watch_.emplace(std::vector{path("rules")});
  watch_->remember();
  write("rules", "half a");
  ASSERT_TRUE(watch_->attach(wake_));
  EXPECT_FALSE(watch_->changed(1));
  EXPECT_EQ(watch_->due(), 1 + FileWatch::kSettle);
  EXPECT_TRUE(watch_->changed(1 + FileWatch::kSettle));
}

TEST_F(FileWatchTest, ARenameAndAReloadWaitForAnotherFileThatIsBeingWritten) {
  write("rules", "a");
  write("more", "b");
  FileWatch& watched = watch({path("rules"), path("more")});
  write("more", "half b");
  EXPECT_FALSE(watched.changed(1));
  replace("rules", "aa");
  EXPECT_FALSE(watched.changed(2));
  watched.expect();
  EXPECT_FALSE(watched.changed(3));
  EXPECT_EQ(watched.due(), 1 + FileWatch::kSettle);
  EXPECT_TRUE(watched.changed(1 + FileWatch::kSettle));
  EXPECT_FALSE(watched.changed(2 + FileWatch::kSettle));
}

TEST_F(FileWatchTest, SaysHowLongAFirstReaderShouldWait) {
  write("rules", "a");
  FileWatch& watched = watch({path("rules"), path("missing")});
  struct stat status = {};
  ASSERT_EQ(::stat(path("rules").c_str(), &status), 0);
  const Timestamp written = status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec;
  EXPECT_EQ(watched.unsettled(written), FileWatch::kSettle);
  EXPECT_EQ(watched.unsettled(written + FileWatch::kSettle - 1), 1);
  EXPECT_EQ(watched.unsettled(written + FileWatch::kSettle), 0);
  EXPECT_EQ(watched.unsettled(written - 1), 0) << "a time ahead of the clock says nothing";
}

TEST_F(FileWatchTest, OtherFilesOfTheFolderDoNotWake) {
  write("rules", "a");
  FileWatch& watched = watch({path("rules")});
  write("spool", "much");
  static_cast<void>(woken());  // that a file was made, once
  static_cast<void>(watched.changed(0));
  EXPECT_EQ(watched.due(), kNever);
  write("spool", "more");
  EXPECT_FALSE(woken());
}

TEST_F(FileWatchTest, AReloadThatWasAskedForCountsAtOnce) {
  write("rules", "a");
  FileWatch& watched = watch({path("rules")});
  watched.expect();
  EXPECT_TRUE(watched.changed(3));
  EXPECT_FALSE(watched.changed(4));
}

TEST_F(FileWatchTest, EachOfSeveralFilesCounts) {
  write("one", "a");
  write("two", "b");
  FileWatch& watched = watch({path("one"), path("two")});
  replace("two", "c");
  EXPECT_TRUE(watched.changed(1));
  replace("one", "d");
  EXPECT_TRUE(watched.changed(2));
}

TEST_F(FileWatchTest, AnEditThatSetsTheTimeBackCounts) {
  write("rules", "a");
  const auto time = fs::last_write_time(path("rules"));
  FileWatch& watched = watch({path("rules")});
  write("rules", "b");
  fs::last_write_time(path("rules"), time);
  EXPECT_FALSE(watched.changed(1));
  EXPECT_TRUE(watched.changed(1 + FileWatch::kSettle));
}

TEST_F(FileWatchTest, ALoopOfLinksEnds) {
  fs::create_symlink("rules", path("rules"));
  FileWatch& watched = watch({path("rules")});
  EXPECT_FALSE(watched.changed(0));
}

}  // namespace
}  // namespace weir::base
