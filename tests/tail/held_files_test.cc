#include "tail/held_files.h"

#include "support/collect.h"
#include "tail/log_harness.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace weir::tail {
namespace {

class Held : public testing::Test {
 protected:
  // A file of `size` bytes that was last written `age` seconds ago, read up to `place`, and deleted.
  std::shared_ptr<InputFile> deleted(const std::string& name, std::size_t size, int age, std::uint64_t place = 0) {
    std::shared_ptr<InputFile> file = opened(name, size, age, place);
    std::filesystem::remove(dir / name);
    return file;
  }
  std::shared_ptr<InputFile> opened(const std::string& name, std::size_t size, int age, std::uint64_t place = 0) {
    dir.write(name, std::string(size, 'x'));
    const timespec times[2] = {{1'700'000'000 - age, 0}, {1'700'000'000 - age, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, (dir / name).c_str(), times, 0), 0);
    std::shared_ptr<InputFile> file = std::move(*InputFile::open(dir / name));
    file->set_place(place);
    held.add(file);
    return file;
  }

  test::TempDir dir;
  test::RememberingDiagnostics diagnostics;
  HeldFiles held{1000, diagnostics};
};

TEST_F(Held, NothingIsGivenUpBelowTheBound) {
  const auto a = deleted("a.log", 600, 2), b = deleted("b.log", 400, 1);
  EXPECT_TRUE(held.enforce());
  EXPECT_FALSE(a->given_up());
  EXPECT_FALSE(b->given_up());
  EXPECT_TRUE(diagnostics.said().empty());
}

TEST_F(Held, TheOldestAreGivenUpUntilItHolds) {
  const auto young = deleted("young.log", 600, 1), oldest = deleted("oldest.log", 600, 9), old = deleted("old.log", 600, 5),
             last = deleted("last.log", 400, 0);
  EXPECT_TRUE(held.enforce());
  EXPECT_TRUE(oldest->given_up());
  EXPECT_TRUE(old->given_up());
  EXPECT_FALSE(young->given_up());
  EXPECT_FALSE(last->given_up());
  ASSERT_EQ(diagnostics.said().size(), 2U);
  EXPECT_THAT(
      diagnostics.said()[0],
      testing::HasSubstr(
          "oldest.log: deleted before it was read: 600 bytes not read yet are lost, because deleted files may keep 1000 B"));
}

TEST_F(Held, KnowsHowMuchIsUnread) {
  const auto a = opened("a.log", 600, 2, 100);
  auto b = deleted("b.log", 400, 1);
  EXPECT_EQ(held.unread(), 900U);
  a->set_place(600);
  EXPECT_EQ(held.unread(), 400U);
  b.reset();
  EXPECT_EQ(held.unread(), 0U);
}

TEST_F(Held, OnlyWhatIsDeletedAndUnreadCounts) {
  const auto there = opened("there.log", 5000, 9), read = deleted("read.log", 5000, 9, 4800), small = deleted("small.log", 700, 1);
  EXPECT_TRUE(held.enforce());
  for (const auto& file : {there, read, small}) EXPECT_FALSE(file->given_up());
  small->set_place(700);
  read->set_place(5000);
  EXPECT_FALSE(held.enforce());  // nothing is held any more
}

TEST_F(Held, WhatWasReadAndIsNotSafeYetGoesFirst) {
  const auto unread = deleted("unread.log", 600, 9), old = deleted("old.log", 300, 5, 300),
             young = deleted("young.log", 100, 1, 100);
  const auto there = opened("there.log", 5000, 7, 5000);
  for (const auto& file : {old, young, there}) file->set_read();
  EXPECT_TRUE(held.enforce());
  EXPECT_FALSE(old->given_up());
  const auto more = deleted("more.log", 200, 0);
  EXPECT_TRUE(held.enforce());
  EXPECT_TRUE(old->given_up());
  for (const auto& file : {unread, young, there, more}) EXPECT_FALSE(file->given_up()) << file->path();
  EXPECT_EQ(held.unread(), 800U);
  EXPECT_TRUE(held.give_up_read());
  EXPECT_TRUE(young->given_up());
  EXPECT_FALSE(held.give_up_read());
  EXPECT_TRUE(diagnostics.said().empty());  // no line is lost yet
}

TEST_F(Held, ADeletedFileThatGrowsIsSeen) {
  const auto file = opened("a.log", 600, 1);
  std::ofstream writer(dir / "a.log", std::ios::app);
  std::filesystem::remove(dir / "a.log");
  EXPECT_TRUE(held.enforce());
  EXPECT_FALSE(file->given_up());
  writer << std::string(600, 'y') << std::flush;
  EXPECT_FALSE(held.enforce());
  ASSERT_TRUE(file->given_up());
  EXPECT_EQ(file->given_up()->size, 1200U);
}

TEST_F(Held, ACompressedCopyTakesItsPlace) {
  const auto file = opened("0.log", 5000, 1, 100);
  write_gzip(dir / "0.log.20240501-000000.gz", dir.read("0.log"));
  write_gzip(dir / "0.log.20240430-000000.gz", std::string(4000, 'x'));  // begins alike
  std::filesystem::remove(dir / "0.log");
  EXPECT_FALSE(held.enforce());
  const auto given = file->given_up();
  ASSERT_TRUE(given);
  ASSERT_NE(given->copy, nullptr);
  EXPECT_EQ(given->copy->path(), dir / "0.log.20240501-000000.gz");
  EXPECT_EQ(given->copy->place(), 100U);
  EXPECT_TRUE(diagnostics.said().empty());

  // The copy is held in its turn, and its text is as long as that of the file.
  std::filesystem::remove(dir / "0.log.20240501-000000.gz");
  EXPECT_TRUE(held.enforce());
  EXPECT_FALSE(given->copy->given_up());
  EXPECT_TRUE(held.give_up_oldest());
  ASSERT_TRUE(given->copy->given_up());
  EXPECT_EQ(given->copy->given_up()->size, 5000U);
  EXPECT_THAT(diagnostics.said().back(),
              testing::HasSubstr("4,900 bytes not read yet are lost, because a new file needed its descriptor"));
}

TEST_F(Held, TheOldestGoesForADescriptor) {
  EXPECT_FALSE(held.give_up_oldest());
  const auto there = opened("there.log", 10, 9), young = deleted("young.log", 10, 1), old = deleted("old.log", 10, 5);
  const auto read = deleted("read.log", 10, 3, 10);
  EXPECT_TRUE(held.give_up_read());
  EXPECT_TRUE(read->given_up());  // nothing of it is lost
  EXPECT_FALSE(held.give_up_read());
  EXPECT_TRUE(diagnostics.said().empty());
  EXPECT_FALSE(old->given_up());
  EXPECT_TRUE(held.give_up_oldest());
  EXPECT_TRUE(old->given_up());
  EXPECT_FALSE(young->given_up());
  EXPECT_FALSE(there->given_up());
}

TEST_F(Held, WhereDescriptorsRunOutTheFilesThatWereWrittenLastStayOpen) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<std::shared_ptr<InputFile>> files;
  for (int i = 0; i < 60; ++i) files.push_back(opened(fmt::format("{}.log", i), 10, i, 10));
  const auto unread = deleted("gone.log", 10, 100);
  const base::UniqueFd lowest(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  held.make_room();
  EXPECT_TRUE(std::ranges::none_of(files, [](const auto& file) { return file->parked(); }));  // there are enough
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(lowest.get()) + 2;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  held.make_room();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(files.front()->parked());
  EXPECT_TRUE(files.back()->parked());
  EXPECT_FALSE(unread->given_up());
  ASSERT_EQ(diagnostics.said().size(), 1U);
  EXPECT_THAT(diagnostics.said().front(), testing::HasSubstr("ulimit -n"));
  for (const auto& file : files) {
    char byte = 0;
    ASSERT_TRUE(file->read(0, &byte, 1));
    EXPECT_EQ(byte, 'x');
    EXPECT_FALSE(file->parked());
  }
}

TEST_F(Held, FilesThatWereClosedAreForgotten) {
  deleted("a.log", 5000, 1);  // nobody has it any more
  EXPECT_FALSE(held.enforce());
  EXPECT_TRUE(diagnostics.said().empty());
}

}  // namespace
}  // namespace weir::tail
