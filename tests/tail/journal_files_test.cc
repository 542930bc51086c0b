// What follows changes of journal files is tested in tests/e2e/journal_test.py, with files that systemd-journal-remote writes.
#include "tail/journal_files.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace weir::tail {
namespace {

void put(std::string& bytes, std::size_t at, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

std::string head(char id, std::uint64_t first, std::uint64_t last, char state = 1, char file = 'f') {
  std::string bytes(JournalHead::kSize, '\0');
  bytes.replace(0, 8, "LPKSHHRH");
  bytes[16] = state;
  bytes.replace(24, 16, std::string(16, file));
  bytes.replace(72, 16, std::string(16, id));
  put(bytes, 160, last);
  put(bytes, 168, first);
  return bytes;
}

TEST(JournalHeadTest, Success) {
  const auto parsed = parse_journal_head(head('\xab', 5, 0x123456789, 2));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->id, "abababababababababababababababab");
  EXPECT_EQ(parsed->file_id, "66666666666666666666666666666666");
  EXPECT_EQ(parsed->head, 5U);
  EXPECT_EQ(parsed->tail, 0x123456789U);
  EXPECT_TRUE(parsed->closed);
  EXPECT_FALSE(parse_journal_head(head('a', 0, 0))->closed);
}

TEST(JournalHeadTest, Failure) {
  EXPECT_FALSE(parse_journal_head(""));
  EXPECT_FALSE(parse_journal_head(head('a', 1, 2).substr(1)));
  EXPECT_FALSE(parse_journal_head(head('a', 1, 2).substr(0, JournalHead::kSize - 1)));
  EXPECT_FALSE(parse_journal_head(head('a', 3, 2)));
}

class JournalFilesTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) { dir_.write(name, bytes); }

  test::TempDir dir_;
  JournalOptions options_{.on = true, .folder = dir_.path().string()};
};

TEST_F(JournalFilesTest, WhatIsWholeInAFile) {
  write("a.journal", head('a', 1, 5));
  write("a@1.journal", head('a', 1, 5, 2, 'g'));
  write("a@2.journal~", head('a', 1, 5, 1, 'h'));
  JournalFiles files(options_);
  files.scan();
  ASSERT_EQ(files.files().size(), 3U);
  for (const auto& file : files.files()) {
    EXPECT_EQ(file->whole(), file->closed ? 5U : 4U) << file->path;
    EXPECT_EQ(file->is_final(), file->path != dir_ / "a.journal") << file->path;
  }
}

TEST_F(JournalFilesTest, WhoMayBeWriting) {
  for (const auto& [state, writing] : {std::pair('\0', false), std::pair('\1', true), std::pair('\2', false)}) {
    write("a.journal", head('a', 1, 5, state));
    JournalFiles files(options_);
    files.scan();
    EXPECT_EQ(files.files().at(0)->writing, writing) << static_cast<int>(state);
  }
}

TEST_F(JournalFilesTest, WhereAJournalWouldHaveBeenFound) {
  const std::string folder = dir_.path().string(), machine = folder + "/" + std::string(32, '1');
  JournalFiles files(options_);
  files.scan();
  EXPECT_FALSE(files.looks_into(folder)) << "nothing is there: a disk may not be mounted";
  write(std::string(32, '2') + "/system.journal", head('a', 1, 5));
  files.scan();
  EXPECT_TRUE(files.looks_into(folder));
  EXPECT_TRUE(files.looks_into(machine)) << "it was deleted";
  EXPECT_TRUE(files.looks_into(folder + "/" + std::string(32, '2')));
  EXPECT_FALSE(files.looks_into(folder + "/other"));
  EXPECT_FALSE(files.looks_into("/somewhere/" + std::string(32, '1')));
}

TEST_F(JournalFilesTest, AJournalEndsWhereAnotherTakesItsPlace) {
  write("system@1.journal", head('a', 1, 5, 2));
  JournalFiles files(options_);
  files.scan();
  EXPECT_FALSE(files.has_ended(files.files()[0]->id)) << "nothing is written in its place";
  write("system.journal", head('a', 6, 7, 1, 'g'));
  files.scan();
  EXPECT_FALSE(files.has_ended(files.files()[0]->id)) << "it goes on";
  write("system.journal", head('b', 1, 2, 1, 'h'));
  files.scan();
  EXPECT_TRUE(files.has_ended("61616161616161616161616161616161"));
}

TEST_F(JournalFilesTest, AnInodeThatIsUsedAgainIsAnotherFile) {
  write("a.journal", head('a', 1, 5));
  JournalFiles files(options_);
  files.scan();
  files.files()[0]->fd.reset();  // it was read
  write("a.journal", head('b', 1, 9, 1, 'n'));
  files.scan();
  ASSERT_EQ(files.files().size(), 1U);
  EXPECT_EQ(files.files()[0]->tail, 9U);
  EXPECT_TRUE(files.files()[0]->fd);
}

// As journalctl does: this machine's journals, those of its users among them; not those of other machines and of namespaces, and
// not what systemd-journal-remote has received.
TEST_F(JournalFilesTest, TheJournalOfThisMachine) {
  const std::string machine = "0123456789abcdef0123456789abcdef", other = "f123456789abcdef0123456789abcdef";
  const std::string wanted[] = {"run/log/journal/" + machine + "/system.journal", "var/log/journal/" + machine + "/system.journal",
                                "var/log/journal/" + machine + "/user-1000.journal",
                                "var/log/journal/" + machine + "/user-1000@1.journal"};
  char file = 'a';
  for (const std::string& path : wanted) write(path, head('a', 1, 5, 1, file++));
  for (const std::string& folder : {std::string(), std::string("/remote"), "/" + machine + ".web", "/" + other})
    write("var/log/journal" + folder + "/system.journal", head('b', 1, 5, 1, file++));
  const JournalOptions options{.on = true, .folder = "", .units = {}, .cursor = {}};
  const auto found = [&] {
    JournalFiles files(options, dir_.path().string());
    files.scan();
    EXPECT_TRUE(files.is_complete());
    std::vector<std::string> paths;
    for (const auto& one : files.files()) paths.push_back(one->path.substr(dir_.path().string().size() + 1));
    std::ranges::sort(paths);
    return paths;
  };
  EXPECT_EQ(found(), std::vector<std::string>()) << "nobody knows which machine it is";
  write("etc/machine-id", "uninitialized\n");
  EXPECT_EQ(found(), std::vector<std::string>());
  write("etc/machine-id", machine + "\n");
  EXPECT_EQ(found(), std::vector<std::string>(std::begin(wanted), std::end(wanted)));
}

TEST_F(JournalFilesTest, WhatCannotBeReadIsReportedOnce) {
  write("a.journal", "no journal file at all" + std::string(400, '.'));
  write("empty.journal", "");
  JournalFiles files(options_);
  files.scan();
  EXPECT_EQ(files.take_unreadable().count(), 1U);
  files.scan();
  EXPECT_EQ(files.take_unreadable().count(), 0U);
  EXPECT_TRUE(files.files().empty());
}

}  // namespace
}  // namespace weir::tail
