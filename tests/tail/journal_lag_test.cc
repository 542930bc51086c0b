// With real files it is tested in tests/e2e/journal_test.py.
#include "tail/journal_lag.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::tail {
namespace {

constexpr const char* kKey = "journal:61616161616161616161616161616161";

record::Generation generation(std::uint64_t end, bool done, std::string folder) {
  record::Generation generation;
  generation.end = end;
  generation.done = done;
  generation.file.path = std::move(folder);
  return generation;
}

TEST(JournalLag, ThePlaceIsTheLastEntryThatIsSafe) {
  record::LogPosition position;
  EXPECT_EQ(journal_place(position).entry, 0U);
  EXPECT_EQ(journal_place(position).folder, "");
  position.resume.offset = 3;
  position.end[0].offset = 7;
  position.generations = {generation(5, false, "/j")};
  EXPECT_EQ(journal_place(position).entry, 7U);
  EXPECT_EQ(journal_place(position).folder, "/j");
  EXPECT_FALSE(journal_place(position).finished);
  position.generations.clear();
  position.finished = {generation(9, true, "/k")};
  EXPECT_EQ(journal_place(position).entry, 9U);
  EXPECT_EQ(journal_place(position).folder, "/k");
  EXPECT_TRUE(journal_place(position).finished);
}

TEST(JournalLag, AgeIsNeverNegative) {
  JournalLag lag;
  EXPECT_EQ(lag.behind(10), 0);
  lag.oldest = 4;
  EXPECT_EQ(lag.behind(10), 6);
  EXPECT_EQ(lag.behind(3), 0);
}

TEST(JournalLag, AJournalThatIsNotThere) {
  test::TempDir dir;
  record::LogPosition position;
  EXPECT_FALSE(stored_journal(kKey, position).found) << "the position names no folder";
  for (const std::string& folder : {dir.path().string(), dir / "absent"}) {
    position.generations = {generation(5, false, folder)};
    const StoredJournal stored = stored_journal(kKey, position);
    EXPECT_EQ(stored.id, "61616161616161616161616161616161");
    EXPECT_EQ(stored.place.entry, 5U);
    EXPECT_FALSE(stored.found) << folder;
    EXPECT_EQ(stored.lag.entries, 0U);
  }
}

TEST(JournalLag, WhatCannotBeReadIsNotKnown) {
  test::TempDir dir;
  dir.write("a.journal", "no journal file at all" + std::string(400, '.'));
  record::LogPosition position;
  position.generations = {generation(5, false, dir.path().string())};
  EXPECT_FALSE(stored_journal(kKey, position).trouble.empty()) << "the file may be one of this journal";
}

}  // namespace
}  // namespace weir::tail
