#include "rules/file.h"

#include "base/unique_fd.h"
#include "rules/edit.h"
#include "rules/parser.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

namespace weir::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

base::Result<std::string> append_drop(std::string_view text) { return std::string(text) + "drop\n"; }

struct stat status_of(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

TEST(RulesFile, Reads) {
  const test::TempDir dir;
  dir.write("r", "keep\n");
  const auto text = read_file(dir / "r");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "keep\n");
  dir.write("full", std::string(kMostTextBytes, '\n'));
  EXPECT_TRUE(read_file(dir / "full").ok());
}

TEST(RulesFile, CannotRead) {
  const test::TempDir dir;
  const auto none = read_file(dir / "none");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().system, ENOENT);
  EXPECT_EQ(none.error().message, fmt::format("cannot read rules '{}': No such file or directory", dir / "none"));
  const auto folder = read_file(dir.path());
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().system, EISDIR);
  EXPECT_EQ(folder.error().hint, "name the files in it, one by one");
  dir.write("large", std::string(kMostTextBytes + 1, '\n'));
  const auto large = read_file(dir / "large");
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, base::Code::config);
  EXPECT_THAT(large.error().message, HasSubstr("larger than 1 MiB"));
}

TEST(RulesFile, ReplacesTheTextAndKeepsTheMode) {
  const test::TempDir dir;
  dir.write("r", "keep\n");
  ASSERT_EQ(::chmod((dir / "r").c_str(), 0640), 0);
  const auto before = status_of(dir / "r");
  const auto edited = edit_file(dir / "r", append_drop);
  ASSERT_TRUE(edited.ok()) << edited.error().message;
  EXPECT_EQ(dir.read("r"), "keep\ndrop\n");
  const auto after = status_of(dir / "r");
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_NE(after.st_ino, before.st_ino);  // by rename
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("r"));
}

TEST(RulesFile, KeepsTheOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const test::TempDir dir;
  dir.write("r", "keep\n");
  ASSERT_EQ(::chown((dir / "r").c_str(), 65534, 65533), 0);
  ASSERT_TRUE(edit_file(dir / "r", append_drop).ok());
  EXPECT_EQ(status_of(dir / "r").st_uid, 65534U);
  EXPECT_EQ(status_of(dir / "r").st_gid, 65533U);
}

TEST(RulesFile, ALinkStays) {
  const test::TempDir dir;
  dir.write("real/r", "keep\n");
  std::filesystem::create_symlink("real/r", dir.path() / "inner");
  std::filesystem::create_symlink("inner", dir.path() / "link");
  ASSERT_TRUE(edit_file(dir / "link", append_drop).ok());
  EXPECT_EQ(dir.read("real/r"), "keep\ndrop\n");
  EXPECT_TRUE(S_ISLNK(status_of(dir / "link").st_mode));
  EXPECT_TRUE(S_ISREG(status_of(dir / "real/r").st_mode));
}

TEST(RulesFile, AnUnchangedTextIsNotWritten) {
  const test::TempDir dir;
  dir.write("r", "keep\n");
  const auto before = status_of(dir / "r");
  ASSERT_TRUE(edit_file(dir / "r", [](std::string_view text) { return base::Result<std::string>(std::string(text)); }).ok());
  EXPECT_EQ(status_of(dir / "r").st_ino, before.st_ino);
}

TEST(RulesFile, AnErrorOfTheEditChangesNothing) {
  const test::TempDir dir;
  dir.write("r", "keep\n");
  const auto edited = edit_file(
      dir / "r", [](std::string_view) -> base::Result<std::string> { return base::fail(base::Code::usage, "no such rule"); });
  ASSERT_FALSE(edited.ok());
  EXPECT_EQ(edited.error().message, "no such rule");
  EXPECT_EQ(dir.read("r"), "keep\n");
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("r"));
}

TEST(RulesFile, WhatCannotBeEdited) {
  const test::TempDir dir;
  const auto none = edit_file(dir / "none", append_drop);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().system, ENOENT);
  EXPECT_EQ(none.error().hint, fmt::format("to create a file of rules: echo '# rules' > {}", dir / "none"));
  const auto folder = edit_file(dir.path(), append_drop);
  ASSERT_FALSE(folder.ok());
  EXPECT_THAT(folder.error().message, HasSubstr("it is not a regular file"));
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(edit_file(dir / "fifo", append_drop).ok());
}

TEST(RulesFile, ArgumentsInTheWrongOrder) {
  const test::TempDir dir;
  dir.write("r", "keep\n");
  dir.write("drop", "keep\n");
  const std::tuple<std::string, std::string, bool> cases[] = {
      {dir / "r", "drop {app=\"x\"}", false},  {"drop {app=\"x\"}", dir / "r", true}, {"drop {app=\"x\"}", dir / "none", true},
      {"dorp {app=\"x\"}", dir / "r", true},   {dir / "none", "dorp", false},         {dir / "none", "drop", false},
      {"keep for 30m {app=\"x\"}", "r", true}, {dir / "drop", "drop", false},         {dir.path(), dir / "r", false},
  };
  for (const auto& [file, rule, swapped] : cases) EXPECT_EQ(looks_swapped(file, rule), swapped) << file << " " << rule;
}

TEST(RulesFile, AReadOnlyFile) {
  const test::TempDir dir;
  // A file in /proc refuses a rename whoever asks.
  if (::geteuid() == 0) {
    const auto edited = edit_file("/proc/self/comm", append_drop);
    ASSERT_FALSE(edited.ok());
    EXPECT_EQ(edited.error().code, base::Code::io);
    EXPECT_THAT(edited.error().message, HasSubstr("cannot edit rules '/proc/self/comm'"));
    return;
  }
  dir.write("r", "keep\n");
  ASSERT_EQ(::chmod((dir / "r").c_str(), 0444), 0);
  const auto edited = edit_file(dir / "r", append_drop);
  ASSERT_FALSE(edited.ok());
  EXPECT_EQ(edited.error().code, base::Code::io);
  EXPECT_THAT(edited.error().hint, HasSubstr("as its owner or as root"));
  EXPECT_EQ(dir.read("r"), "keep\n");
}

TEST(RulesFile, AMountedConfigMap) {
  const test::TempDir dir;
  dir.write("..2026_11_29_12_00_00.123/rules", "keep\n");
  std::filesystem::create_symlink("..2026_11_29_12_00_00.123", dir.path() / "..data");
  std::filesystem::create_symlink("..data/rules", dir.path() / "rules");
  const auto edited = edit_file(dir / "rules", append_drop);
  ASSERT_FALSE(edited.ok());
  EXPECT_EQ(edited.error().code, base::Code::io);
  EXPECT_THAT(edited.error().message, HasSubstr("it is a mounted ConfigMap or Secret"));
  EXPECT_THAT(edited.error().hint, HasSubstr("kubectl edit configmap"));
  EXPECT_TRUE(read_file(dir / "rules").ok());
}

TEST(RulesFile, EditsAtOnceAllLand) {
  const test::TempDir dir;
  dir.write("r", "# head\n\nkeep\n");
  constexpr int kThreads = 4, kEdits = 5;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEdits; ++i) {
        const auto edited = edit_file(dir / "r", [&](std::string_view text) -> base::Result<std::string> {
          auto added = add(text, "r", fmt::format("name n{}-{}: drop {{app=\"x\"}}", thread, i), {.now = 0, .user = "me"});
          if (!added) return std::move(added).error();
          return std::move(added->text);
        });
        if (!edited) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  const auto rules = parse(dir.read("r"), "r");
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(rules->size(), kThreads * kEdits + 1U);
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("r"));
}

TEST(RulesFile, AChangeByAnEditorIsNotLost) {
  const test::TempDir dir;
  dir.write("r", "keep\n");
  int calls = 0;
  const auto edited = edit_file(dir / "r", [&](std::string_view text) {
    if (++calls == 1) dir.write("r", "hold\n# by an editor that knows no lock\n");
    return append_drop(text);
  });
  ASSERT_TRUE(edited.ok());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(dir.read("r"), "hold\n# by an editor that knows no lock\ndrop\n");
  const auto never = edit_file(dir / "r", [&](std::string_view text) {
    dir.write("r", "#\n", true);
    return append_drop(text);
  });
  ASSERT_FALSE(never.ok());
  EXPECT_EQ(never.error().code, base::Code::busy);
}

TEST(RulesFile, ALockThatIsNotFree) {
  const test::TempDir dir;
  dir.write("r", "keep\n");
  const base::UniqueFd folder(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(folder.get(), LOCK_EX), 0);
  const auto edited = edit_file(dir / "r", append_drop, 1);
  ASSERT_FALSE(edited.ok());
  EXPECT_EQ(edited.error().code, base::Code::busy);
  EXPECT_EQ(dir.read("r"), "keep\n");
}

}  // namespace
}  // namespace weir::rules
