#include "tail/log_reader.h"

#include "tail/log_harness.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace weir::tail {
namespace {

using Outcome = LogReader::Outcome;

class ReadLog : public testing::Test, protected LogHarness {
 protected:
  std::unique_ptr<InputFile> open(std::string_view name) { return std::move(*InputFile::open(dir / name)); }
  LogReader reader(std::string_view name) { return LogReader(7, dir / name, options, stats, clock); }
  test::TempDir dir;
};

constexpr std::string_view kPodFile = "shop_web-1_uid-1/app/0.log";

TEST_F(ReadLog, LabelsAndMetadataOfAPod) {
  dir.write(kPodFile, cri("a") + cri("b", "stderr") + "garbage\n");
  LogReader log = reader(kPodFile);
  log.add_file(open(kPodFile));
  EXPECT_EQ(read(log), Outcome::finished);
  ASSERT_EQ(jsons.size(), 3U);
  EXPECT_EQ(jsons[0],
            "{\"timestamp\":\"2024-05-01T10:00:00Z\",\"line\":\"a\",\"labels\":{\"container\":\"app\",\"namespace\":\"shop\","
            "\"pod\":\"web-1\","
            "\"stream\":\"stdout\"},\"metadata\":{\"pod_uid\":\"uid-1\"}}\n");
  EXPECT_NE(jsons[1].find("\"stream\":\"stderr\""), std::string::npos);
  EXPECT_EQ(jsons[2].find("\"stream\""), std::string::npos);
  EXPECT_EQ(stats.malformed, 1U);
}

TEST_F(ReadLog, LabelFilenameOutsideAPodLayout) {
  dir.write("a.log", "x\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  EXPECT_NE(jsons.at(0).find(fmt::format("\"labels\":{{\"filename\":\"{}\"}}}}", dir / "a.log")), std::string::npos) << jsons[0];
}

TEST_F(ReadLog, FilenameAsAskedFor) {
  dir.write(kPodFile, cri("a"));
  options.filename = FilenameMode::metadata;
  LogReader as_metadata = reader(kPodFile);
  as_metadata.add_file(open(kPodFile));
  read(as_metadata);
  EXPECT_NE(jsons.at(0).find("\"metadata\":{\"pod_uid\":\"uid-1\",\"filename\":\""), std::string::npos) << jsons[0];
  options.filename = FilenameMode::label;
  LogReader as_label = reader(kPodFile);
  as_label.add_file(open(kPodFile));
  read(as_label);
  EXPECT_NE(jsons.at(1).find("\"container\":\"app\",\"filename\":\""), std::string::npos) << jsons[1];
}

TEST_F(ReadLog, UnfinishedLineComesOutAtTheEndUnlessTracked) {
  dir.write("a.log", "one\ntwo");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  EXPECT_EQ(take(), (Lines{"one", "two"}));
  options.tracked = true;
  LogReader tracked = reader("a.log");
  tracked.add_file(open("a.log"));
  read(tracked);
  EXPECT_EQ(take_records(), (Lines{"one @1.o4"}));
}

TEST_F(ReadLog, GenerationsInOrderJoinedAcrossARotation) {
  dir.write("a.log.1", cri("one") + cri("tw", "stdout", 'P'));
  dir.write("a.log", cri("o") + cri("three"));
  LogReader log = reader("a.log");
  log.add_file(open("a.log.1"));
  log.add_file(open("a.log"));
  EXPECT_EQ(read(log), Outcome::finished);
  EXPECT_EQ(take(), (Lines{"one", "two", "three"}));
}

TEST_F(ReadLog, TrackedStreamIntroducesAndClosesGenerations) {
  options.tracked = true;
  const std::string part = cri("tw", "stdout", 'P'), end = cri("o");
  dir.write("a.log.1", cri("one") + part);
  dir.write("a.log", end);
  LogReader log = reader("a.log");
  log.add_file(open("a.log.1"));
  log.add_file(open("a.log"));
  read(log);
  const std::size_t one = cri("one").size(), both = one + part.size();
  EXPECT_EQ(take(),
            (Lines{"<generation 1.o0>", "<position 1.o0>", fmt::format("one @1.o{}", one),
                   fmt::format("<done 1.o{}<1.{}>", both, one), "<generation 2.o0>", fmt::format("two @2.o{}", end.size())}));
  EXPECT_EQ(markers.at(0).file.head_size, both);
  EXPECT_EQ(markers.at(0).file.inode, open("a.log.1")->inode());
}

TEST_F(ReadLog, HeadIsAnnouncedAgainUntilItIsWhole) {
  options.tracked = options.follow = true;
  dir.write("a.log", cri(std::string(300, 'a')));
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(read(log), Outcome::idle);
    dir.write("a.log", cri(std::string(300, 'b')), true);
  }
  std::vector<std::uint32_t> sizes;
  for (const record::Marker& marker : markers) {
    if (marker.type == record::Marker::Type::generation) sizes.push_back(marker.file.head_size);
  }
  const auto line = static_cast<std::uint32_t>(cri(std::string(300, 'a')).size());
  EXPECT_EQ(sizes, (std::vector<std::uint32_t>{line, 2 * line, 3 * line, 1024}));
}

TEST_F(ReadLog, RawFilesAreAnnouncedWithACheck) {
  options.tracked = options.follow = true;
  dir.write("a.log", std::string(2000, '#') + "\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  EXPECT_EQ(markers.at(0).file.check_end, 2001U);
  dir.write("a.log", "more\n", true);
  read(log);
  EXPECT_EQ(markers.back().file.check_end, 2006U);
}

TEST_F(ReadLog, StartingBehindTheBeginningLeavesAPlaceOnBothStreams) {
  options.tracked = options.follow = true;
  dir.write("a.log", cri("old"));
  LogReader log = reader("a.log");
  log.add_file(open("a.log"), cri("old").size());
  EXPECT_EQ(read(log), Outcome::idle);
  const std::size_t end = cri("old").size();
  EXPECT_EQ(take(), (Lines{"<generation 1.o0>", fmt::format("<position 1.o{}>", end), fmt::format("<position 1.e{}>", end)}));
  EXPECT_EQ(markers.at(0).file.head_size, end);
}

TEST_F(ReadLog, RecordsBeforeTheStartLeaveAPlace) {
  options.tracked = true;
  dir.write("a.log", cri("old"));
  LogReader log = reader("a.log");
  log.add_file(open("a.log"), 0, *record::parse_rfc3339("2024-06-01T00:00:00Z"));
  read(log);
  EXPECT_EQ(take(), (Lines{"<generation 1.o0>", "<position 1.o0>", fmt::format("<position 1.o{}>", cri("old").size())}));
  EXPECT_EQ(stats.before_start, 1U);
}

TEST_F(ReadLog, FollowsWhatIsWrittenAndLinesInTheMaking) {
  options.follow = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  EXPECT_EQ(read(log), Outcome::idle);
  dir.write("a.log", "tw", true);
  read(log);
  EXPECT_EQ(take(), (Lines{"one"}));
  dir.write("a.log", "o\nthree\n", true);
  read(log);
  EXPECT_EQ(take(), (Lines{"two", "three"}));
}

TEST_F(ReadLog, OldFileIsDrainedBeforeTheNewOne) {
  options.follow = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  std::filesystem::rename(dir / "a.log", dir / "a.log.1");
  dir.write("a.log", "three\n");
  log.add_file(open("a.log"));
  EXPECT_EQ(read(log), Outcome::idle);  // the writer may still hold the old file
  EXPECT_EQ(log.due(), clock.monotonic() + options.rotation_grace);
  dir.write("a.log.1", "two\n", true);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(take(), (Lines{"one", "two"}));
  clock.advance(options.rotation_grace);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(take(), (Lines{"three"}));
}

TEST_F(ReadLog, ManyRotationsWhileBlockedAreReadInOrder) {
  options.follow = true;
  dir.write("a.log", "0\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  for (int i = 1; i <= 5; ++i) {
    std::filesystem::rename(dir / "a.log", dir / fmt::format("a.log.{}", i));
    dir.write("a.log", fmt::format("{}\n", i));
    log.add_file(open("a.log"));
    std::filesystem::remove(dir / fmt::format("a.log.{}", i));
  }
  read(log);
  clock.advance(options.rotation_grace);
  read(log);
  EXPECT_EQ(take(), (Lines{"0", "1", "2", "3", "4", "5"}));
}

TEST_F(ReadLog, NewFileWithoutDataDoesNotEndTheOldOne) {
  options.follow = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  std::filesystem::rename(dir / "a.log", dir / "a.log.1");
  dir.write("a.log", "");
  log.add_file(open("a.log"));
  read(log);
  clock.advance(base::kHour);
  EXPECT_EQ(read(log), Outcome::idle);
  dir.write("a.log.1", "two\n", true);
  read(log);
  EXPECT_EQ(take(), (Lines{"one", "two"}));
}

TEST_F(ReadLog, TruncationBeginsAgain) {
  options.follow = options.tracked = true;
  dir.write("a.log", "a long first line\nsecond\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  std::filesystem::resize_file(dir / "a.log", 0);
  read(log);
  dir.write("a.log", "new\n", true);
  read(log);
  EXPECT_EQ(take_records(), (Lines{"a long first line @1.o18", "second @1.o25", "new @2.o4"}));
  EXPECT_EQ(stats.truncated, 1U);
}

TEST_F(ReadLog, TruncationIsSeenWhenTheFileHasGrownAgain) {
  options.follow = true;
  dir.write("a.log", "first\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  // In place: the inode stays.
  std::filesystem::resize_file(dir / "a.log", 0);
  dir.write("a.log", "other and longer than before\n", true);
  read(log);
  EXPECT_EQ(take(), (Lines{"first", "other and longer than before"}));
}

TEST_F(ReadLog, HoleThatTruncationLeftIsSkipped) {
  options.follow = true;
  dir.write("a.log", std::string(100'000, 'x') + "\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  take();
  std::filesystem::resize_file(dir / "a.log", 0);
  std::filesystem::resize_file(dir / "a.log", 98'304);  // a writer without O_APPEND goes on where it was
  dir.write("a.log", "new\n", true);
  read(log);
  EXPECT_EQ(take(), (Lines{"new"}));
}

TEST_F(ReadLog, DeletedLogEndsAfterAGrace) {
  options.follow = options.tracked = true;
  dir.write("a.log", cri("one") + cri("open", "stdout", 'P'));
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  std::filesystem::remove(dir / "a.log");
  log.set_missing(true);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(log.due(), clock.monotonic() + options.deletion_grace);
  take();
  clock.advance(options.deletion_grace);
  EXPECT_EQ(read(log), Outcome::finished);
  const std::size_t size = (cri("one") + cri("open", "stdout", 'P')).size();
  EXPECT_EQ(take(), (Lines{fmt::format("open @1.o{}", size + 1), fmt::format("<done 1.o{} gone>", size + 4)}));
}

TEST_F(ReadLog, RenamedAwayIsNotDeleted) {
  options.follow = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  std::filesystem::rename(dir / "a.log", dir / "a.log.1");
  log.set_missing(true);
  read(log);
  clock.advance(base::kMinute);
  EXPECT_EQ(read(log), Outcome::idle);
  dir.write("a.log.1", "two\n", true);
  read(log);
  EXPECT_EQ(take(), (Lines{"one", "two"}));
}

TEST_F(ReadLog, PodLogThatBeginsWithGarbageIsStillCri) {
  options.follow = true;
  dir.write(kPodFile, "torn line\n");
  LogReader log = reader(kPodFile);
  log.add_file(open(kPodFile));
  read(log);
  dir.write(kPodFile, cri("fine"), true);
  read(log);
  EXPECT_EQ(take(), (Lines{"torn line", "fine"}));
}

TEST_F(ReadLog, ByteOrderMarkIsLeftOut) {
  const std::string mark = "\xef\xbb\xbf";
  options.tracked = true;
  dir.write(kPodFile, mark + cri("one") + cri("two"));
  LogReader pod = reader(kPodFile);
  pod.add_file(open(kPodFile));
  read(pod);
  EXPECT_EQ(take_records(),
            (Lines{fmt::format("one @1.o{}", 3 + cri("one").size()), fmt::format("two @1.o{}", 3 + 2 * cri("one").size())}));
  EXPECT_EQ(stats.malformed, 0U);
  options.tracked = false;
  dir.write("a.log", mark + "one\n");
  write_gzip(dir / "b.log.gz", mark + "two\n");
  LogReader plain = reader("a.log");
  plain.add_file(open("b.log.gz"));
  plain.add_file(open("a.log"));
  read(plain);
  EXPECT_EQ(take(), (Lines{"two", "one"}));
}

TEST_F(ReadLog, Utf16IsToldAndNotRead) {
  const std::string text("\xff\xfeh\0i\0\n\0", 8);
  for (const bool tracked : {false, true}) {
    options.tracked = tracked;
    dir.write("a.log", text);
    LogReader log = reader("a.log");
    log.add_file(open("a.log"));
    EXPECT_EQ(read(log), Outcome::finished);
    const auto trouble = log.take_trouble();
    ASSERT_TRUE(trouble);
    EXPECT_EQ(trouble->text, kUtf16Cause);
  }
  write_gzip(dir / "a.log.1.gz", text);
  dir.write("a.log", "fine\n");
  options.tracked = false;
  LogReader rotated = reader("a.log");
  rotated.add_file(open("a.log.1.gz"));
  rotated.add_file(open("a.log"));
  EXPECT_EQ(read(rotated), Outcome::finished);
  EXPECT_TRUE(rotated.take_trouble());
  EXPECT_EQ(take(), (Lines{"fine"}));
}

TEST_F(ReadLog, Utf16IsToldOnceWhileFollowing) {
  options.follow = options.tracked = true;
  dir.write("a.log", "");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  take();
  dir.write("a.log", std::string("\xfe\xff\0h\0i\0\n", 8));
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_TRUE(log.take_trouble());
  dir.write("a.log", std::string("\0h\0i\0\n", 6), true);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_FALSE(log.take_trouble());
  std::filesystem::rename(dir / "a.log", dir / "a.log.1");
  dir.write("a.log", "fine\n");
  log.add_file(open("a.log"));
  read(log);
  clock.advance(options.rotation_grace);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(take_records().size(), 1U);
  std::filesystem::remove(dir / "a.log");
  log.set_missing(true);
  read(log);
  clock.advance(options.deletion_grace);
  EXPECT_EQ(read(log), Outcome::finished);
}

TEST_F(ReadLog, ZerosBetweenLinesAreAGap) {
  const std::string one = cri("one"), two = cri("two");
  const auto gap = [&](std::size_t from, std::size_t to) {
    return fmt::format("weir: {} bytes of {} from byte {} on are lost: zeros stand there, as after a loss of power @1.o{}",
                       to - from, dir / kPodFile, from, to);
  };
  options.tracked = true;
  const auto f = [&](std::size_t from, std::size_t to) {
    LogReader log = reader(kPodFile);
    log.add_file(open(kPodFile));
    read(log);
    EXPECT_EQ(take_records(), (Lines{fmt::format("one @1.o{}", from), gap(from, to), fmt::format("two @1.o{}", to + two.size())}));
  };
  dir.write(kPodFile, one + std::string(5000, '\0') + two);
  f(one.size(), one.size() + 5000);
  EXPECT_EQ(stats.gap_bytes, 5000U);
  // With blocks that were never written, and with more of them than a read gets.
  for (const std::size_t size : {std::size_t{20'000}, std::size_t{3'000'000}}) {
    dir.write(kPodFile, one);
    std::filesystem::resize_file(dir / kPodFile, size);
    dir.write(kPodFile, two, true);
    f(one.size(), size);
  }
  EXPECT_EQ(stats.gaps, 3U);
}

TEST_F(ReadLog, ZerosAtTheBeginningAreNoGap) {
  dir.write("a.log", "");
  std::filesystem::resize_file(dir / "a.log", 10'000);
  dir.write("a.log", "new\n", true);
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  EXPECT_EQ(take(), (Lines{"new"}));
  EXPECT_EQ(stats.gaps, 0U);
  EXPECT_EQ(stats.leading_holes, 1U);
}

TEST_F(ReadLog, WhatIsOpenComesOutAfterAWhile) {
  options.follow = true;
  dir.write(kPodFile, cri("one") + cri("par", "stdout", 'P') + "2024-05-01T10:00:00Z stderr F la");
  LogReader log = reader(kPodFile);
  log.add_file(open(kPodFile));
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(take(), (Lines{"one"}));
  EXPECT_EQ(log.due(), clock.monotonic() + options.patience);
  // What is added counts.
  clock.advance(options.patience - 1);
  dir.write(kPodFile, "s", true);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(log.due(), clock.monotonic() + options.patience);
  clock.advance(options.patience);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(log.due(), base::kNever);
  EXPECT_EQ(take(), (Lines{"par", "las"}));
  dir.write(kPodFile, "t\n" + cri("t") + cri("two"), true);
  read(log);
  EXPECT_EQ(take(), (Lines{"t", "t", "two"}));
}

TEST_F(ReadLog, WhatIsOpenOfAPlainFileComesOutAfterAWhile) {
  options.follow = true;
  dir.write("a.log", "prompt> ");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  clock.advance(options.patience);
  read(log);
  EXPECT_EQ(take(), (Lines{"prompt> "}));
  // Its newline adds nothing, and the file's form is still open.
  dir.write("a.log", "\n" + cri("one"), true);
  read(log);
  EXPECT_EQ(take(), (Lines{"one"}));
}

TEST_F(ReadLog, TrackedWhatIsOpenIsLeftForTheNextTime) {
  options.follow = options.tracked = true;
  dir.write(kPodFile, cri("par", "stdout", 'P') + "2024-05-01T10:00:00Z stderr F la");
  LogReader log = reader(kPodFile);
  log.add_file(open(kPodFile));
  read(log);
  EXPECT_EQ(log.due(), base::kNever);
  clock.advance(base::kHour);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(take_records(), Lines{});
}

TEST_F(ReadLog, LastWordsOfAContainerComeOutWhenItHasANextLog) {
  const std::string part = cri("par", "stdout", 'P'), error = "2024-05-01T10:00:00Z stderr F la";
  const std::size_t size = part.size() + error.size();
  options.follow = options.tracked = true;
  dir.write(kPodFile, part + error);
  LogReader log = reader(kPodFile);
  log.add_file(open(kPodFile));
  read(log);
  log.set_succeeded();
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(take_records(), Lines{});
  EXPECT_EQ(log.due(), clock.monotonic() + options.deletion_grace);
  clock.advance(options.deletion_grace);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_EQ(take_records(), (Lines{fmt::format("par @1.o{}<1.{}", size, part.size()), fmt::format("la @1.e{}", size)}));
  // Nothing comes twice when the log is deleted later.
  std::filesystem::remove(dir / kPodFile);
  log.set_missing(true);
  read(log);
  clock.advance(options.deletion_grace);
  EXPECT_EQ(read(log), Outcome::finished);
  EXPECT_EQ(take(), (Lines{fmt::format("<done 1.o{} gone>", size + 4)}));
}

TEST_F(ReadLog, WhatIsOpenComesOutWhenReadingEnds) {
  options.follow = true;
  dir.write(kPodFile, cri("one") + cri("par", "stdout", 'P') + "2024-05-01T10:00:00Z stderr F last");
  LogReader log = reader(kPodFile);
  log.add_file(open(kPodFile));
  read(log);
  log.set_ending();
  EXPECT_EQ(read(log), Outcome::finished);
  EXPECT_EQ(take(), (Lines{"one", "last", "par"}));
}

TEST_F(ReadLog, GzipInBlocks) {
  std::string text;
  Lines want;
  for (int i = 0; i < 30'000; ++i) {
    want.push_back(fmt::format("line number {}", i));
    text += cri(want.back());
  }
  write_gzip(dir / "a.log.1.gz", text);
  LogReader log = reader("a.log");
  log.add_file(open("a.log.1.gz"));
  EXPECT_EQ(read(log), Outcome::finished);
  EXPECT_EQ(take(), want);
}

TEST_F(ReadLog, LongLineDoesNotStopTheFile) {
  options.max_line = 1000;
  dir.write("a.log", std::string(1'000'000, 'x') + "\nnext\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  EXPECT_EQ(lines.size(), 1001U);
  EXPECT_EQ(lines.back(), "next");
  EXPECT_EQ(stats.split, 1U);
}

TEST_F(ReadLog, ManyTinyLinesComeInSeveralBatches) {
  dir.write("a.log", std::string(50'000, '\n'));
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  EXPECT_EQ(lines.size(), 50'000U);
}

TEST_F(ReadLog, WhatWasNotReadOfATruncatedFileIsReadFromItsCopy) {
  options.follow = options.tracked = true;
  for (const bool gzip : {false, true}) {
    SCOPED_TRACE(gzip);
    dir.write("a.log", "one\n");
    dir.write("a.log.2", "zero\n");  // older, and not to be read
    LogReader log = reader("a.log");
    log.add_file(open("a.log"));
    read(log);
    dir.write("a.log", "two\nthree\n", true);
    if (gzip)
      write_gzip(dir / "a.log.1.gz", dir.read("a.log"));
    else
      std::filesystem::copy_file(dir / "a.log", dir / "a.log.1");
    dir.write("a.log", "x\n");
    read(log);
    EXPECT_EQ(take_records(), (Lines{"one @1.o4", "two @1.o8", "three @1.o14", "x @2.o2"}));
    EXPECT_EQ(stats.gaps, 0U);
    for (const char* name : {"a.log", "a.log.1", "a.log.1.gz"}) std::filesystem::remove(dir / name);
  }
  EXPECT_EQ(stats.truncated, 2U);
}

TEST_F(ReadLog, AFileThatWasTruncatedSeveralTimesIsReadFromAllItsCopies) {
  options.follow = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  dir.write("a.log", "two\n", true);
  std::filesystem::copy_file(dir / "a.log", dir / "a.log.3");
  dir.write("a.log.2", "three\n");
  dir.write("a.log.1", "four\n");
  dir.write("a.log", "five\n");
  read(log);
  EXPECT_EQ(take(), (Lines{"one", "two", "three", "four", "five"}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ReadLog, TheCopyIsToldToTheKeeper) {
  options.follow = options.tracked = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  dir.write("a.log", "two\n", true);
  std::filesystem::copy_file(dir / "a.log", dir / "a.log.1");
  const std::uint64_t copy = open("a.log.1")->inode();
  dir.write("a.log", "");
  take();
  markers.clear();
  read(log);
  ASSERT_GE(markers.size(), 1U);
  EXPECT_EQ(markers[0].type, record::Marker::Type::generation);
  EXPECT_EQ(markers[0].file.inode, copy);
}

TEST_F(ReadLog, TruncatedWithoutACopyIsAGapOfWhatWasSeen) {
  options.follow = options.tracked = true;
  dir.write("a.log", "one\nhalf a line");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  dir.write("a.log", "");
  read(log);
  ASSERT_EQ(stats.gaps, 1U);
  EXPECT_EQ(stats.gap_bytes, 11U);
  EXPECT_EQ(stats.latest_gap,
            fmt::format("weir: 11 bytes of {} from byte 4 on are lost: the file was truncated, and no copy of it is beside it",
                        dir / "a.log"));
  EXPECT_NE(jsons.back().find("\"weir_gap_bytes\":\"11\""), std::string::npos) << jsons.back();
  dir.write("a.log", "new\n", true);
  read(log);
  EXPECT_EQ(lines.back(), "new @2.o4");
}

TEST_F(ReadLog, TruncatedBeforeAnythingWasReadIsAGapOfWhatWasSeen) {
  options.follow = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  std::shared_ptr<InputFile> file = open("a.log");
  log.add_file(file);
  file->note_size(1000);  // as the watcher does
  read(log);
  EXPECT_EQ(stats.gap_bytes, 1000U);
  EXPECT_EQ(lines.back(), "one");
}

TEST_F(ReadLog, TruncatedAfterItWasReadIsNoGap) {
  options.follow = true;
  dir.write("a.log", "one\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  dir.write("a.log", "");
  read(log);
  EXPECT_EQ(stats.truncated, 1U);
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ReadLog, LinesOfOneLengthThatEndAlikeDoNotHideATruncation) {
  options.follow = true;
  const auto line = [](int i) { return fmt::format("{:06} and the same end of the line\n", i); };
  dir.write("a.log", line(1) + line(2));
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  take();
  dir.write("a.log", line(3) + line(4) + line(5));
  read(log);
  const auto text = [&](int i) { return line(i).substr(0, line(i).size() - 1); };
  EXPECT_EQ(take(), (Lines{text(3), text(4), text(5)}));
}

TEST_F(ReadLog, AFileThatWasGivenUpIsAGapOfWhatWasNotRead) {
  options.follow = options.tracked = true;
  const std::string first = cri("one") + cri("a", "stdout", 'P'), more = cri("b") + cri("two");
  dir.write(kPodFile, first);
  LogReader log = reader(kPodFile);
  std::shared_ptr<InputFile> file = open(kPodFile);
  log.add_file(file);
  read(log);
  take();
  dir.write(kPodFile, more, true);
  std::filesystem::remove(dir / kPodFile);
  file->give_up("for want of room", nullptr);
  dir.write(kPodFile, cri("three"));
  log.add_file(open(kPodFile));
  jsons.clear();
  read(log);
  const Lines got = take();
  ASSERT_EQ(got.size(), 5U) << testing::PrintToString(got);
  EXPECT_EQ(got[0], fmt::format("a @1.o{}", LogReader::kAbandoned + 1));  // the line that was open
  EXPECT_EQ(
      got[1],
      fmt::format("weir: {} bytes of {} from byte {} on are lost: it was deleted before it was read, and for want of room @1.o{}",
                  more.size(), dir / kPodFile, first.size(), LogReader::kReportedLost));
  EXPECT_EQ(got[2], fmt::format("<done 1.o{}>", LogReader::kReportedLost));
  EXPECT_EQ(got[4], fmt::format("three @2.o{}", cri("three").size()));
  EXPECT_EQ(stats.gap_bytes, more.size());
  EXPECT_NE(jsons.at(1).find(fmt::format("\"weir_gap_bytes\":\"{}\"", more.size())), std::string::npos) << jsons[1];
  EXPECT_NE(jsons.at(1).find("\"container\":\"app\",\"namespace\":\"shop\",\"pod\":\"web-1\"}"), std::string::npos) << jsons[1];
}

TEST_F(ReadLog, AFileThatWasGivenUpBeforeItWasTouchedIsStillIdentified) {
  options.follow = options.tracked = true;
  dir.write("0.log", cri("one"));
  const record::FileIdentity identity = *open("0.log")->identify(1024, 0);
  std::shared_ptr<InputFile> file = open("0.log");
  std::filesystem::remove(dir / "0.log");
  file->give_up("for want of room", nullptr);
  LogReader log = reader("0.log");
  log.add_file(file);
  log.set_missing(true);
  EXPECT_EQ(read(log), Outcome::finished);
  ASSERT_EQ(markers.size(), 2U);
  EXPECT_EQ(markers[0].file.inode, identity.inode);
  EXPECT_EQ(markers[0].file.head_size, identity.head_size);
  EXPECT_EQ(markers[0].file.head_hash, identity.head_hash);
  EXPECT_TRUE(markers[1].gone);  // the log has ended with it
  EXPECT_EQ(stats.gap_bytes, cri("one").size());
}

TEST_F(ReadLog, AFileThatWasGivenUpWhenAllOfItWasReadIsNoGap) {
  options.follow = true;
  dir.write("0.log", cri("one"));
  std::shared_ptr<InputFile> file = open("0.log");
  LogReader log = reader("0.log");
  log.add_file(file);
  read(log);
  std::filesystem::remove(dir / "0.log");
  log.set_missing(true);
  file->give_up("for want of room", nullptr);
  EXPECT_EQ(read(log), Outcome::finished);
  EXPECT_EQ(take(), (Lines{"one"}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ReadLog, AFileThatWasExchangedForItsCompressedCopyGoesOnThere) {
  options.follow = options.tracked = true;
  std::string text = cri("one");
  dir.write("0.log", text);
  std::shared_ptr<InputFile> file = open("0.log");
  LogReader log = reader("0.log");
  log.add_file(file);
  read(log);
  text += cri("two") + cri("three");
  write_gzip(dir / "0.log.1.gz", text);
  dir.write("0.log", text);
  std::filesystem::remove(dir / "0.log");
  file->give_up("", open("0.log.1.gz"));
  dir.write("0.log", cri("four"));
  log.add_file(open("0.log"));
  read(log);
  const std::size_t line = cri("one").size();
  EXPECT_EQ(take_records(), (Lines{fmt::format("one @1.o{}", line), fmt::format("two @1.o{}", 2 * line),
                                   fmt::format("three @1.o{}", text.size()), fmt::format("four @2.o{}", cri("four").size())}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ReadLog, ADescriptorThatWasGivenUpMakesItsInodeFree) {
  dir.write("0.log", cri("one"));
  std::shared_ptr<InputFile> file = open("0.log");
  LogReader log = reader("0.log");
  log.add_file(file);
  EXPECT_TRUE(log.has(file->inode(), file->device()));
  file->give_up("for want of room", nullptr);
  EXPECT_FALSE(log.has(file->inode(), file->device()));
}

// A file whose every byte is unreadable: there is nothing at the address 0.
TEST_F(ReadLog, AFileThatCannotBeReadDoesNotStopItsLog) {
  std::filesystem::create_symlink("/proc/self/mem", dir / "0.log.1");
  dir.write("0.log", cri("live"));
  LogReader log = reader("0.log");
  log.add_file(open("0.log.1"));
  log.add_file(open("0.log"));
  EXPECT_EQ(read(log), Outcome::finished);
  const Lines got = take();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0], fmt::format("weir: the content of {} from byte 0 on is lost: Input/output error", dir / "0.log.1"));
  EXPECT_EQ(got[1], "live");
}

TEST_F(ReadLog, ALiveFileThatCannotBeReadIsTriedAgain) {
  options.follow = true;
  std::filesystem::create_symlink("/proc/self/mem", dir / "0.log");
  LogReader log = reader("0.log");
  log.add_file(open("0.log"));
  EXPECT_EQ(read(log), Outcome::idle);
  const auto trouble = log.take_trouble();
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->system, EIO);
  EXPECT_EQ(trouble->text, "Input/output error");
  EXPECT_EQ(log.due(), clock.monotonic() + options.unreadable_retry);
  EXPECT_EQ(read(log), Outcome::idle);
  EXPECT_FALSE(log.take_trouble());  // told once
  EXPECT_EQ(stats.gaps, 0U);
  // Once there is a newer one, nobody waits for it any longer.
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("newer"));
  log.add_file(open("0.log"));
  read(log);
  EXPECT_EQ(stats.gaps, 1U);
  EXPECT_EQ(take().back(), "newer");
}

TEST_F(ReadLog, TheOldFileIsReadAsLongAsItIsWritten) {
  options.follow = true;
  dir.write("a.log", "0\n");
  LogReader log = reader("a.log");
  log.add_file(open("a.log"));
  read(log);
  std::filesystem::rename(dir / "a.log", dir / "a.log.1");
  dir.write("a.log", "new\n");
  log.add_file(open("a.log"));
  read(log);
  take();
  const base::Monotonic begin = clock.monotonic();
  while (true) {
    dir.write("a.log.1", "old\n", true);
    read(log);
    if (take() != Lines{"old"}) break;
    clock.advance(options.rotation_grace / 2);
    ASSERT_LT(clock.monotonic() - begin, 2 * options.longest_rotation_grace);
  }
  EXPECT_GE(clock.monotonic() - begin, options.longest_rotation_grace);
}

TEST_F(ReadLog, LostGenerationIsAGapOnce) {
  options.tracked = true;
  dir.write(kPodFile, cri("after"));
  record::FileIdentity lost;
  lost.path = "/old";
  LogReader log = reader(kPodFile);
  log.add_lost(lost, 123, "the file is gone");
  log.add_file(open(kPodFile));
  read(log);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], "<generation 1.o0>");
  EXPECT_TRUE(lines[1].starts_with("weir: the content of /old from byte 123 on is lost: the file is gone")) << lines[1];
  EXPECT_TRUE(lines[2].starts_with("<done 1.o")) << lines[2];
  EXPECT_EQ(lines[3], "<generation 2.o0>");
  EXPECT_NE(jsons.at(0).find("\"weir_gap_bytes\":\"unknown\""), std::string::npos);
  EXPECT_NE(jsons.at(0).find("\"pod\":\"web-1\""), std::string::npos);
  EXPECT_EQ(stats.gaps, 1U);
}

}  // namespace
}  // namespace weir::tail
