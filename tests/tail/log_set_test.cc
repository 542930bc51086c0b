#include "tail/log_set.h"

#include "support/collect.h"
#include "tail/log_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

namespace weir::tail {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Logs : public testing::Test {
 protected:
  LogSet set() { return LogSet({inputs, selection, start, options, roots, stats, troubles, held, queue, diagnostics, clock}); }
  // Reads all there is, as the source does when it reads once.
  Lines read(LogSet& logs) {
    Lines lines;
    while (logs.open_some()) {
      if (queue.empty()) continue;
      Space space{batch.allocate(LogReader::space_needed(options)), LogReader::space_needed(options), true};
      const auto [reader, outcome] = queue.read(batch, space);
      for (const record::Record& record : batch.records) {
        if (record.is_marker() && record.marker->type == record::Marker::Type::generation) log_keys.emplace(record.marker->log_key);
        if (!record.is_marker()) lines.emplace_back(record.line.data);
      }
      if (outcome == Reader::Outcome::finished) logs.remove(*reader);
      batch.clear();
    }
    return lines;
  }

  test::TempDir dir;
  test::FakeClock clock;
  test::RememberingDiagnostics diagnostics;
  std::vector<std::string> inputs{dir / "*.log"};
  Selection selection;
  Start start;
  ReadOptions options;
  LogRoots roots;
  ReadStats stats;
  TroubleReport troubles{options, stats, diagnostics};
  HeldFiles held{1 << 20, diagnostics};
  ReaderQueue queue;
  record::Batch batch;
  std::set<std::string> log_keys;  // of the markers
};

TEST_F(Logs, ReadingOnceReadsEachFileOnceAndRemovesItsReader) {
  dir.write("a.log", "1\n2\n");
  dir.write("b.log", "3\n");
  std::filesystem::create_hard_link(dir / "a.log", dir / "c.log");
  LogSet logs = set();
  EXPECT_THAT(read(logs), UnorderedElementsAre("1", "2", "3"));
  EXPECT_EQ(logs.opened(), 2U);
  EXPECT_FALSE(logs.nothing_matches());
  EXPECT_TRUE(queue.empty());
}

TEST_F(Logs, ManyAreOpenedAFewAtATime) {
  for (int i = 0; i < 600; ++i) dir.write(fmt::format("{}.log", i), "x\n");
  LogSet logs = set();
  ASSERT_TRUE(logs.open_some());
  EXPECT_LT(logs.opened(), 600U);
  EXPECT_EQ(read(logs).size(), 600U);
  EXPECT_EQ(logs.opened(), 600U);
}

TEST_F(Logs, NothingMatches) {
  LogSet logs = set();
  EXPECT_THAT(read(logs), IsEmpty());
  EXPECT_TRUE(logs.nothing_matches());
}

TEST_F(Logs, StoredPositionsSayWhereToGoOn) {
  options.tracked = true;
  dir.write("a.log", "one\ntwo\n");
  dir.write("new.log", "three\n");
  auto file = InputFile::open(dir / "a.log");
  ASSERT_TRUE(file);
  record::LogPosition position;
  position.generations.push_back({.number = 1, .file = *(*file)->identify(4, 0), .end = 4});
  position.resume = {1, 4};
  position.end[0] = position.end[1] = {1, 4};
  record::LogPosition gone = position;
  gone.generations[0].file = {};
  gone.generations[0].file.path = dir / "gone.log";
  LogSet logs = set();
  logs.load({{dir / "a.log", position}, {dir / "gone.log", gone}});
  EXPECT_THAT(read(logs), testing::IsSupersetOf({"two", "three"}));
  EXPECT_EQ(stats.gaps, 1U);  // what was not read of the file that is gone
}

TEST_F(Logs, APositionIsFoundWhereTheFolderHasAnotherPath) {
  options.tracked = true;
  for (const bool renamed : {false, true}) {
    SCOPED_TRACE(renamed);
    dir.write("old/a.log", "one\ntwo\n");
    auto file = InputFile::open(dir / "old/a.log");
    ASSERT_TRUE(file);
    record::LogPosition position;
    position.generations.push_back({.number = 1, .file = *(*file)->identify(4, 0), .end = 4});
    position.resume = position.end[0] = position.end[1] = {1, 4};
    if (renamed)
      std::filesystem::rename(dir / "old", dir / "new");
    else
      std::filesystem::create_directory_symlink(dir / "old", dir / "new");
    inputs = {dir / "new/*.log"};
    LogSet logs = set();
    logs.load({{dir / "old/a.log", position}});
    EXPECT_THAT(read(logs), ElementsAre("two"));
    EXPECT_EQ(log_keys, std::set<std::string>{dir / "old/a.log"});  // so that the keeper goes on with its position
    EXPECT_EQ(stats.gaps, 0U);
    std::filesystem::remove_all(dir / "new");
  }
}

TEST_F(Logs, APositionStaysWithTheFileThatIsStillUnderItsPath) {
  options.tracked = true;
  dir.write("old/a.log", "one\ntwo\n");
  auto file = InputFile::open(dir / "old/a.log");
  ASSERT_TRUE(file);
  record::LogPosition position;
  position.generations.push_back({.number = 1, .file = *(*file)->identify(4, 0), .end = 4});
  position.resume = position.end[0] = position.end[1] = {1, 4};
  // The log goes on in a new file; the old one is another's business.
  std::filesystem::create_directory(dir / "new");
  std::filesystem::rename(dir / "old/a.log", dir / "new/a.log");
  dir.write("old/a.log", "three\n");
  inputs = {dir / "new/*.log"};
  LogSet logs = set();
  logs.load({{dir / "old/a.log", position}});
  EXPECT_THAT(read(logs), ElementsAre("one", "two"));
  EXPECT_EQ(log_keys, std::set<std::string>{dir / "new/a.log"});
}

TEST_F(Logs, DeletedFilesPassToTheNextSet) {
  for (const bool tracked : {false, true}) {
    SCOPED_TRACE(tracked);
    options.tracked = tracked;
    dir.write("a.log", "1\n2\n");
    dir.write("b.log", "3\n");
    Handover handover;
    {
      LogSet logs = set();
      if (tracked) logs.load({});
      ASSERT_TRUE(logs.open_some());
      std::filesystem::remove(dir / "a.log");
      logs.hand_over(handover);
      queue = {};
    }
    ASSERT_EQ(handover.files().size(), 1U);  // the other one has its name
    LogSet next = set();
    if (tracked) next.load({});
    next.take_over(handover.files());
    handover.clear();
    EXPECT_THAT(read(next), UnorderedElementsAre("1", "2", "3"));
    EXPECT_EQ(stats.gaps, 0U);
  }
}

// What positions say of the log, and what the next set reads of a file that the former one had read to its end.
TEST_F(Logs, AFileThatWasReadIsReadAgainWhereItIsNotDoneWith) {
  enum class Known { not_at_all, partly, done, gone };
  struct Case {
    Known known;
    bool live;  // a file of that name is there
    Lines read;
  };
  const Case cases[] = {
      {Known::not_at_all, false, {"1", "2"}},
      {Known::not_at_all, true, {"1", "2", "3"}},  //
      {Known::partly, false, {"2"}},
      {Known::partly, true, {"2", "3"}},
      {Known::done, true, {"3"}},
      {Known::gone, false, {}},
      {Known::gone, true, {"3"}},
  };
  options.tracked = true;
  ReadFiles read_files;
  for (const Case& one : cases) {
    SCOPED_TRACE(static_cast<int>(one.known));
    SCOPED_TRACE(one.live);
    dir.write("a.log", "1\n2\n");
    std::shared_ptr<InputFile> file = std::move(InputFile::open(dir / "a.log")).value();
    file->set_place(4);
    std::filesystem::remove(dir / "a.log");
    if (one.live) dir.write("a.log", "3\n");
    record::Positions positions;
    if (one.known != Known::not_at_all) {
      const bool all = one.known != Known::partly;
      record::LogPosition& position = positions[dir / "a.log"];
      record::Generation generation{.number = 1, .file = *file->identify(4, 0), .done = all, .end = all ? 4U : 2U};
      (all ? position.finished : position.generations).push_back(generation);
      position.resume = position.end[0] = {1, generation.end};
      position.gone = one.known == Known::gone;
    }
    Handover handover;
    {
      options.read_files = &read_files;
      LogSet logs = set();
      read_files.add(dir / "a.log", 1, 1, std::move(file));
      logs.hand_over(handover);
      queue = {};
      options.read_files = nullptr;
    }
    ASSERT_EQ(handover.files().size(), 1U);
    LogSet next = set();
    next.load(positions);
    next.take_over(handover.files());
    handover.clear();
    EXPECT_EQ(read(next), one.read);
    std::filesystem::remove(dir / "a.log");
  }
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(Logs, WhatIsLeftOfALogIsReadFromWhereTheFormerSetStoodIfNothingIsTracked) {
  dir.write("a.log", "1\n2\n");
  auto file = InputFile::open(dir / "a.log");
  ASSERT_TRUE(file);
  const auto left =
      std::make_shared<const OpenFile>(OpenFile{(*file)->release(), dir / "a.log", (*file)->inode(), (*file)->device(), 2});
  std::filesystem::remove(dir / "a.log");
  dir.write("a.log", "3\n");
  LogSet logs = set();
  logs.take_over({{dir / "a.log", {left}}, {dir / "elsewhere/b.log", {left}}});
  EXPECT_THAT(read(logs), ElementsAre("2", "3"));
}

}  // namespace
}  // namespace weir::tail
