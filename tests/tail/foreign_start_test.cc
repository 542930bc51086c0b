#include "tail/foreign_start.h"

#include "spool/keeper.h"
#include "tail/log_harness.h"
#include "tail/resume.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace weir::tail {
namespace {

std::string at(std::string_view time, std::string_view text, std::string_view stream = "stdout", char tag = 'F') {
  return fmt::format("2024-05-01T{}Z {} {} {}\n", time, stream, tag, text);
}

constexpr base::Timestamp kNoon = 1714564800 * base::kSecond;  // 2024-05-01T12:00:00Z

// Another agent read a log up to somewhere and stopped at noon.
class ForeignStart : public testing::Test, protected LogHarness {
 protected:
  ForeignStart() { options.tracked = true; }

  Lines go_on(std::uint64_t offset, base::Timestamp written = kNoon, std::string_view name = "0.log") {
    LogReader log(1, dir / name, options, stats, clock);
    log.set_foreign();
    std::shared_ptr<InputFile> live = std::move(*InputFile::open(dir / name));
    const record::LogPosition start = foreign_start(log, live, {offset, written});
    OtherFiles others;
    others.lost_cause = foreign_loss(*live, {offset, written});
    resume(log, start, live, {}, std::move(others));
    read(log);
    all = take();
    Lines records;
    for (const std::string& line : all) {
      if (!line.starts_with("<")) records.push_back(line.substr(0, line.rfind(" @")));
    }
    return records;
  }
  void rotate(std::string_view stamp = "20240501-130000") {
    std::filesystem::rename(dir / "0.log", dir / fmt::format("0.log.{}", stamp));
  }

  test::TempDir dir;
  Lines all;
  const std::string one = at("10:00:00", "one"), two = at("11:00:00", "two"), three = at("13:00:00", "three");
};

TEST_F(ForeignStart, TheLiveFileFromItsPlace) {
  dir.write("0.log", one + two);
  EXPECT_EQ(go_on(one.size()), Lines{"two"});
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ForeignStart, ThePositionIsKnownFromTheFirstMoment) {
  dir.write("0.log", one + two);
  go_on((one + two).size());
  EXPECT_EQ(all, (Lines{"<generation 1.o0>", fmt::format("<position 1.o{}>", (one + two).size()),
                        fmt::format("<position 1.e{}>", (one + two).size())}));
}

TEST_F(ForeignStart, OldLinesAreNotTooOld) {
  options.max_age = base::kHour;
  dir.write("0.log", one + two);
  EXPECT_EQ(go_on(one.size()), Lines{"two"});
}

TEST_F(ForeignStart, ARotatedFileIsReadOnAndTheNewOneWhole) {
  dir.write("0.log", one + two);
  rotate();
  dir.write("0.log", three + at("14:00:00", "four") + at("14:00:00", "five"));  // longer than the place
  EXPECT_EQ(go_on(one.size()), (Lines{"two", "three", "four", "five"}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ForeignStart, AlsoCompressed) {
  write_gzip(dir / "0.log.20240501-130000.gz", one + two);
  dir.write("0.log.20240501-140000", three);
  dir.write("0.log", at("14:00:00", "four"));
  EXPECT_EQ(go_on(one.size()), (Lines{"two", "three", "four"}));
}

TEST_F(ForeignStart, WhatWasRotatedBeforeIsNotReadAgain) {
  dir.write("0.log", at("08:00:00", "zero"));
  rotate("20240501-090000");
  dir.write("0.log", one + two);
  EXPECT_EQ(go_on(one.size()), Lines{"two"});
}

TEST_F(ForeignStart, ItStillReadTheRotatedFileWhenTheNewOneHadBegun) {
  dir.write("0.log", one + two + at("11:30:00", "more"));
  rotate("20240501-115900");
  dir.write("0.log", at("11:59:00", "new"));
  EXPECT_EQ(go_on((one + two).size()), (Lines{"more", "new"}));
}

TEST_F(ForeignStart, ATruncatedFilesCopyIsReadOn) {
  dir.write("app.log.1", "one\ntwo\n");
  dir.write("app.log", "x\n");
  EXPECT_EQ(go_on(4, kNoon * 2, "app.log"), (Lines{"two", "x"}));
}

TEST_F(ForeignStart, AFileThatIsGoneIsAGap) {
  dir.write("0.log", three);
  const Lines got = go_on(one.size());
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].starts_with("weir: the content of ")) << got[0];
  EXPECT_NE(got[0].find(fmt::format("from byte {}", one.size())), std::string::npos) << got[0];
  EXPECT_TRUE(got[0].ends_with("is lost: the file is gone")) << got[0];
  EXPECT_EQ(got[1], "three");
  EXPECT_EQ(stats.gaps, 1U);
}

TEST_F(ForeignStart, AFileThatIsShorterSaysSo) {
  dir.write("0.log", one);
  const Lines got = go_on(one.size() + 100);
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].ends_with(fmt::format(
      "from byte {} on is lost: the file is shorter than that ({} bytes): it was rotated or truncated, and is read from its start",
      one.size() + 100, one.size())))
      << got[0];
  EXPECT_EQ(got[1], "one");
}

TEST_F(ForeignStart, ATruncatedFileIsAGapAndIsReadWholeAndOlderOnesAreNot) {
  dir.write("0.log.20240501-090000", at("08:00:00", "zero"));
  dir.write("0.log", one);
  const Lines got = go_on(5000);
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1], "one");
  EXPECT_EQ(stats.gaps, 1U);
}

TEST_F(ForeignStart, ALineThatWasReadInPartIsReadWhole) {
  dir.write("0.log", one + two);
  EXPECT_EQ(go_on(one.size() + 5), Lines{"two"});
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ForeignStart, PartsThatNobodyPassedOnAreReadAgain) {
  const std::string before =
      one + at("11:00:00", "a", "stdout", 'P') + at("11:00:00", "said", "stderr") + at("11:00:01", "b", "stdout", 'P');
  dir.write("0.log", before + at("11:00:02", "more", "stderr") + at("11:00:02", "c"));
  EXPECT_EQ(go_on(before.size()), (Lines{"more", "abc"}));
  // RESUME lies before the parts, so that a kill loses nothing of them; END behind what was delivered.
  EXPECT_EQ(all[1], fmt::format("<position 1.o{}<1.{}>", before.size(), one.size()));
  EXPECT_EQ(all[2], fmt::format("<position 1.e{}<1.{}>", before.size(), one.size()));
}

TEST_F(ForeignStart, AKillRightAfterRepeatsAndLosesNothing) {
  const std::string before = one + at("11:00:00", "a", "stdout", 'P') + at("11:00:00", "said", "stderr");
  dir.write("0.log", before + at("11:00:02", "b"));
  spool::Keeper keeper("c");
  {
    LogReader log(1, dir / "0.log", options, stats, clock);
    log.set_foreign();
    std::shared_ptr<InputFile> live = std::move(*InputFile::open(dir / "0.log"));
    resume(log, foreign_start(log, live, {before.size(), kNoon}), live);
    // Only the markers become safe.
    const std::size_t size = LogReader::space_needed(options);
    Space space{batch.allocate(size), size, true};
    log.read(batch, space);
    for (const record::Record& record : batch.records) {
      ASSERT_TRUE(keeper.track(record));
      if (record.is_marker() && record.source) keeper.advance(record.source);
    }
    batch.clear();
  }
  spool::Keeper stored("c");
  ASSERT_TRUE(stored.load(keeper.snapshot()));
  const record::Positions positions = stored.positions();
  ASSERT_EQ(positions.size(), 1U);
  LogReader log(1, dir / "0.log", options, stats, clock);
  resume(log, positions.begin()->second, std::move(*InputFile::open(dir / "0.log")));
  Lines taken;
  const std::size_t size = LogReader::space_needed(options);
  Space space{batch.allocate(size), size, true};
  log.read(batch, space);
  for (const record::Record& record : batch.records) {
    auto verdict = stored.track(record);
    ASSERT_TRUE(verdict);
    if (!record.is_marker() && *verdict == spool::Verdict::take) taken.emplace_back(record.line.data);
  }
  EXPECT_EQ(taken, Lines{"ab"});
}

TEST(OpenParts, OfEachStream) {
  const std::string p1 = at("10:00:00", "1", "stdout", 'P'), p2 = at("10:00:00", "2", "stderr", 'P'), f1 = at("10:00:00", "f"),
                    f2 = at("10:00:00", "f", "stderr");
  using Parts = std::vector<std::string_view>;
  EXPECT_EQ(open_parts(p1 + p2 + f1, true), Parts{p2});
  EXPECT_EQ(open_parts(p1 + f2 + p2 + p1, true), (Parts{p1, p2, p1}));
  EXPECT_EQ(open_parts(p1 + f1 + f2, true), Parts());
  EXPECT_EQ(open_parts(p1 + p2, false), Parts{p2});
  EXPECT_EQ(open_parts("", true), Parts());
  EXPECT_EQ(open_parts("text\nmore", false), Parts());
}

}  // namespace
}  // namespace weir::tail
