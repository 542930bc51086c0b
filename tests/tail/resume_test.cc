#include "tail/resume.h"

#include "tail/log_harness.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::tail {
namespace {

using Outcome = LogReader::Outcome;

// A log is read up to somewhere, weir stops, the files change, and it goes on.
class Resume : public testing::Test, protected LogHarness {
 protected:
  Resume() { options.tracked = true; }

  record::Generation generation(std::uint32_t number, std::string_view name, std::uint32_t head = 1024) {
    record::Generation known;
    known.number = number;
    known.file = *(*InputFile::open(dir / name))->identify(head, 0);
    return known;
  }
  // The records that come after `position`.
  Lines go_on(const record::LogPosition& position, bool live = true) {
    LogReader log(1, dir / "0.log", options, stats, clock);
    resume(log, position, live ? std::move(*InputFile::open(dir / "0.log")) : nullptr);
    read(log);
    Lines all = take();
    Lines records;
    for (const std::string& line : all) {
      if (!line.starts_with("<")) records.push_back(line.substr(0, line.rfind(" @")));
    }
    return records;
  }
  void rotate(const char* stamp, bool gzip) {
    const std::string rotated = fmt::format("0.log.{}", stamp);
    std::filesystem::rename(dir / "0.log", dir / rotated);
    if (!gzip) return;
    write_gzip(dir / (rotated + ".gz"), dir.read(rotated));
    std::filesystem::remove(dir / rotated);
  }

  test::TempDir dir;
};

TEST_F(Resume, TheSameFileFromItsPlace) {
  dir.write("0.log", cri("one") + cri("two"));
  EXPECT_EQ(go_on({{generation(4, "0.log")}, {4, cri("one").size()}, {}}), (Lines{"two"}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(Resume, AnnouncesTheFileAsItIsStoredAndThenAsItHasGrown) {
  dir.write("0.log", cri("one"));
  const auto stored = generation(4, "0.log");
  dir.write("0.log", cri("two"), true);
  EXPECT_EQ(go_on({{stored}, {4, cri("one").size()}, {}}), (Lines{"two"}));
  ASSERT_EQ(markers.size(), 2U);
  EXPECT_EQ(markers[0].head_size, stored.file.head_size);
  EXPECT_EQ(markers[0].head_hash, stored.file.head_hash);
  EXPECT_EQ(markers[1].head_size, 2 * cri("one").size());
}

TEST_F(Resume, AnotherFileUnderTheSameNameIsReadWholeAfterAGap) {
  dir.write("0.log", cri("one") + cri("two"));
  auto stored = generation(4, "0.log");
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("new"));  // perhaps with the same inode
  const Lines got = go_on({{stored}, {4, cri("one").size()}, {}});
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].starts_with("weir: what ")) << got[0];
  EXPECT_EQ(got[1], "new");
}

TEST_F(Resume, NoGapForWhatWasReadOut) {
  dir.write("0.log", cri("one"));
  auto stored = generation(4, "0.log");
  stored.done = true;
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("new"));
  EXPECT_EQ(go_on({{stored}, {4, cri("one").size()}, {}}), (Lines{"new"}));
}

class ResumeRotated : public Resume, public testing::WithParamInterface<bool> {};

TEST_P(ResumeRotated, RenamedOrCompressedFilesComeFirstInOrder) {
  dir.write("0.log", cri("older"));
  rotate("20240430-000000", true);
  dir.write("0.log", cri("one") + cri("two"));
  const auto stored = generation(4, "0.log");
  dir.write("0.log", cri("three"), true);
  rotate("20240501-000000", GetParam());
  dir.write("0.log", cri("four"));
  rotate("20240501-000010", GetParam());
  dir.write("0.log", cri("five"));
  EXPECT_EQ(go_on({{stored}, {4, cri("one").size()}, {}}), (Lines{"two", "three", "four", "five"}));
  EXPECT_EQ(stats.gaps, 0U);
}
INSTANTIATE_TEST_SUITE_P(Gzip, ResumeRotated, testing::Bool());

TEST_F(Resume, OpenLinesOnBothStreamsAcrossARotation) {
  const std::string before = cri("one"), open = cri("a", "stdout", 'P') + cri("b", "stderr", 'P');
  dir.write("0.log", before + open);
  const auto stored = generation(1, "0.log");
  rotate("20240501-000000", false);
  dir.write("0.log", cri("A") + cri("B", "stderr"));
  EXPECT_EQ(go_on({{stored}, {1, before.size()}, {}}), (Lines{"aA", "bB"}));
  // The same from the second generation on, when the first is still needed for the open lines.
  const auto second = generation(2, "0.log");
  EXPECT_EQ(go_on({{stored, second}, {1, before.size()}, {}}), (Lines{"aA", "bB"}));
}

TEST_F(Resume, MissingMiddleIsAGapBetween) {
  dir.write("0.log", cri("one"));
  const auto first = generation(1, "0.log");
  rotate("20240501-000000", false);
  dir.write("0.log", cri("lost"));
  const auto second = generation(2, "0.log");
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("three"));
  const Lines got = go_on({{first, second}, {1, 0}, {}});
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0], "one");
  EXPECT_TRUE(got[1].starts_with("weir: what ")) << got[1];
  EXPECT_EQ(got[2], "three");
}

TEST_F(Resume, WithoutALiveFileTheRotatedOnesAreRead) {
  dir.write("0.log", cri("one") + cri("two"));
  const auto stored = generation(1, "0.log");
  rotate("20240501-000000", false);
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}, false), (Lines{"two"}));
}

TEST_F(Resume, CutCriFileGoesOnAtItsEndATruncatedOneBeginsAgain) {
  const std::string head(1200, 'x');
  dir.write("0.log", cri(head) + cri("lost in the crash"));
  const auto stored = generation(1, "0.log");
  const std::uint64_t end = dir.read("0.log").size();
  std::filesystem::resize_file(dir / "0.log", cri(head).size());
  dir.write("0.log", cri("next"), true);
  EXPECT_EQ(go_on({{stored}, {1, end + 100}, {}}), Lines{});  // nothing behind its end yet

  dir.write("0.log", head + "\nold\n");
  const auto raw = generation(1, "0.log");
  std::filesystem::resize_file(dir / "0.log", 1201);
  dir.write("0.log", "new\n", true);
  EXPECT_EQ(go_on({{raw}, {1, 5000}, {}}), (Lines{head, "new"}));
}

TEST_F(Resume, WhatWasToldToBeGoneIsNotToldAgain) {
  dir.write("0.log", cri("one"));
  const auto stored = generation(1, "0.log");
  std::filesystem::remove(dir / "0.log");
  LogReader log(1, dir / "0.log", options, stats, clock);
  resume(log, {{stored}, {1, 0}, {}}, nullptr);
  log.set_gone();
  EXPECT_EQ(read(log), Outcome::finished);
  const Lines got = take();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_TRUE(got[2].ends_with(" gone>")) << got[2];
  EXPECT_EQ(stats.gaps, 1U);
  const auto end = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(go_on({{stored}, {1, end}, {}}, false).empty());
  EXPECT_EQ(stats.gaps, 1U);
}

}  // namespace
}  // namespace weir::tail
