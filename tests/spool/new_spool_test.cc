// A spool that is being made has its name only when it is complete.
#include "spool/new_spool.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

namespace weir::spool {
namespace {

namespace fs = std::filesystem;
using base::Code;

class NewSpoolTest : public testing::Test {
 protected:
  std::string target() const { return dir_ / "new.db"; }
  base::Result<NewSpool> begin() { return NewSpool::begin(target(), "copy to", clock_); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(dir_.path())) all.push_back(entry.path().filename());
    std::ranges::sort(all);
    return all;
  }
  static void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

  test::TempDir dir_;
  test::FakeClock clock_;
};

TEST_F(NewSpoolTest, GetsItsNameAtTheEnd) {
  {
    auto made = begin();
    ASSERT_TRUE(made) << made.error().message;
    write(made->partial(), "whole");
    write(made->partial() + "-lock", "");
    EXPECT_FALSE(fs::exists(target()));
    NewSpool moved = std::move(*made);
    ASSERT_TRUE(moved.finish());
    EXPECT_TRUE(fs::exists(target()));
  }
  EXPECT_EQ(names(), std::vector<std::string>{"new.db"});
  EXPECT_EQ(fs::file_size(target()), 5U);
}

TEST_F(NewSpoolTest, ALogThatFoundNoRoomIsNoWholeSpool) {
  {
    auto made = begin();
    ASSERT_TRUE(made);
    write(made->partial(), "half");
    write(made->partial() + "-wal", "the other half");
    const auto finished = made->finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, Code::full);
    EXPECT_EQ(finished.error().message, "cannot copy to '" + target() + "': there is no room on that disk");
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(NewSpoolTest, LeavesNothingWhenItIsNotFinished) {
  {
    auto made = begin();
    ASSERT_TRUE(made) << made.error().message;
    for (const char* suffix : {"", "-wal", "-shm", "-lock", "-reserve", "-recent"}) write(made->partial() + suffix, "half");
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(NewSpoolTest, WhatAKilledProcessLeftIsStartedAgain) {
  write(target() + "-partial", "half");
  write(target() + "-partial-wal", "half");
  write(target() + "-making", "1234\n");
  auto made = begin();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE(fs::exists(made->partial()));
  EXPECT_FALSE(fs::exists(made->partial() + "-wal"));
}

TEST_F(NewSpoolTest, TwoAtOnce) {
  auto one = begin();
  ASSERT_TRUE(one);
  write(one->partial(), "one");
  {
    const auto other = begin();
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Code::busy);
    EXPECT_EQ(other.error().hint, "another process makes this file");
  }
  EXPECT_TRUE(fs::exists(one->partial())) << "the other one leaves ours alone";
  EXPECT_TRUE(one->finish());
}

TEST_F(NewSpoolTest, WhatStandsThereIsLeftAlone) {
  for (const char* suffix : {"", "-wal"}) {
    write(target() + suffix, "mine");
    const auto made = begin();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::usage);
    EXPECT_EQ(made.error().message, "cannot copy to '" + target() + suffix + "': that file exists already");
    EXPECT_EQ(fs::file_size(target() + suffix), 4U);
    fs::remove(target() + suffix);
  }
  fs::create_directory(target());
  const auto folder = begin();
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, "cannot copy to '" + target() + "': it is a folder");
  EXPECT_EQ(folder.error().hint, "name a new file in it");
  fs::remove(target());
  fs::create_symlink("nowhere", target());
  EXPECT_EQ(begin().error().code, Code::usage) << "a link that leads nowhere is not followed";
  fs::remove(target());
  auto made = begin();
  ASSERT_TRUE(made);
  write(made->partial(), "whole");
  write(target(), "came meanwhile");
  const auto finished = made->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, Code::usage);
  EXPECT_EQ(fs::file_size(target()), 14U);
}

TEST_F(NewSpoolTest, WhatReadersLeftBesideARemovedOneIsNoHindrance) {
  write(target() + "-wal", "");
  write(target() + "-shm", "index");
  auto made = begin();
  ASSERT_TRUE(made) << made.error().message;
  write(made->partial(), "whole");
  ASSERT_TRUE(made->finish());
  EXPECT_FALSE(fs::exists(target() + "-wal"));
  EXPECT_FALSE(fs::exists(target() + "-shm"));
}

TEST_F(NewSpoolTest, InAFolderThatIsNotThereOrCannotBeWritten) {
  const auto absent = NewSpool::begin(dir_ / "no/new.db", "export to", clock_);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::io);
  EXPECT_EQ(absent.error().message,
            "cannot export to '" + (dir_ / "no/new.db") + "': the folder '" + (dir_ / "no") + "' does not exist");
  if (::geteuid() == 0) return;  // who may write everywhere; tests/e2e/takeaway_test.py tries it as another user
  ::chmod(dir_.path().c_str(), 0500);
  const auto closed = begin();
  ::chmod(dir_.path().c_str(), 0700);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().system, EACCES);
}

}  // namespace
}  // namespace weir::spool
