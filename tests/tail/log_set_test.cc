#include "tail/log_set.h"

#include "support/collect.h"
#include "tail/log_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

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
        if (!record.is_marker()) lines.emplace_back(record.line.data);
      }
      if (outcome == Reader::Outcome::finished) logs.remove(static_cast<LogReader&>(*reader));
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

}  // namespace
}  // namespace weir::tail
