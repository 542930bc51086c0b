#include "tail/resume.h"

#include "spool/keeper.h"
#include "tail/log_harness.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

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
  Lines go_on(const record::LogPosition& position, bool live = true, std::string_view name = "0.log", OtherFiles others = {}) {
    LogReader log(1, dir / name, options, stats, clock);
    there = resume(log, position, live ? std::move(*InputFile::open(dir / name)) : nullptr, {}, std::move(others));
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
  bool there = false;
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
  EXPECT_EQ(markers[0].file.head_size, stored.file.head_size);
  EXPECT_EQ(markers[0].file.head_hash, stored.file.head_hash);
  EXPECT_EQ(markers[1].file.head_size, 2 * cri("one").size());
}

TEST_F(Resume, AnotherFileUnderTheSameNameIsReadWholeAfterAGap) {
  dir.write("0.log", cri("one") + cri("two"));
  auto stored = generation(4, "0.log");
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("new"));  // perhaps with the same inode
  const Lines got = go_on({{stored}, {4, cri("one").size()}, {}});
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].starts_with("weir: the content of ")) << got[0];
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

TEST_F(Resume, AFileThatMovedAwayIsReadByTheHandleThatIsGiven) {
  dir.write("0.log", cri("a") + cri("b"));
  const record::Generation known = generation(1, "0.log");
  const record::LogPosition position{{known}, {1, cri("a").size()}, {}, {}};
  for (const std::string name : {"far/7.log", "1.log", "0-2026-01-01.log"}) {
    std::filesystem::create_directories(dir / "far");
    std::filesystem::copy_file(dir / "0.log", dir / "0.log.old");  // a copy is less
    std::filesystem::rename(dir / "0.log", dir / name);
    dir.write(name, cri("added"), true);
    dir.write("0.log", cri("c"));
    std::shared_ptr<InputFile> handle = std::move(*InputFile::open(dir / name));
    EXPECT_EQ(go_on(position, true, "0.log", {{handle}, 0}), (Lines{"b", "added", "c"})) << name;
    EXPECT_EQ(handle->place(), std::filesystem::file_size(dir / name)) << name;
    EXPECT_EQ(stats.gaps, 0U);
    std::filesystem::remove(dir / "0.log.old");
    std::filesystem::rename(dir / name, dir / "0.log");
    std::filesystem::resize_file(dir / "0.log", cri("a").size() + cri("b").size());
  }
}

TEST_F(Resume, WhatWasReadAsAnotherLogsIsNotReadAgain) {
  dir.write("gone.log", cri("of a file that is gone"));
  record::Generation known = generation(1, "gone.log");
  known.done = true;
  std::filesystem::remove(dir / "gone.log");
  dir.write("0.log", cri("a") + cri("b"));
  EXPECT_EQ(go_on({{known}, {1, 0}, {}, {}}, true, "0.log", {{}, cri("a").size()}), Lines{"b"});
}

// What the tail before had open of the log, whatever became of the names since.
class ResumeLeft : public Resume {
 protected:
  void open(std::string_view name, std::uint64_t place = 0) { file_list.push_back({*InputFile::open(dir / name), place}); }
  OpenFiles left() {
    OpenFiles files;
    for (auto& [file, place] : file_list) {
      files.push_back(
          std::make_shared<const OpenFile>(OpenFile{file->release(), file->path(), file->inode(), file->device(), place}));
    }
    return files;
  }
  std::vector<std::pair<std::unique_ptr<InputFile>, std::uint64_t>> file_list;
};

TEST_F(ResumeLeft, ADeletedFileIsReadFromItsPosition) {
  dir.write("0.log", cri("one") + cri("two"));
  const auto stored = generation(1, "0.log");
  open("0.log", 2 * cri("one").size());  // it was read further than what is safe
  std::filesystem::remove(dir / "0.log");
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}, false, "0.log", {.left = left()}), (Lines{"two"}));
  EXPECT_EQ(stats.gaps, 0U);
  EXPECT_FALSE(there);
}

TEST_F(ResumeLeft, DeletedFilesStandWhereTheyStood) {
  const auto put = [&](const char* text, const char* name) {
    dir.write(name, cri(text));
    open(name);
  };
  put("one", "a");
  put("two", "0.log.20240501-000000");
  put("three", "b");
  put("four", "c");
  put("five", "0.log");
  const auto stored = generation(1, "a");
  for (const char* gone : {"a", "b", "c"}) std::filesystem::remove(dir / gone);
  EXPECT_EQ(go_on({{stored}, {1, 0}, {}}, true, "0.log", {.left = left()}), (Lines{"one", "two", "three", "four", "five"}));
  EXPECT_EQ(stats.gaps, 0U);
  EXPECT_TRUE(there);
}

TEST_F(ResumeLeft, TheLastWasDeletedAndANewFileHasItsName) {
  dir.write("0.log.20240501-000000", cri("read"));
  dir.write("0.log", cri("one") + cri("two"));
  auto read = generation(1, "0.log.20240501-000000");
  read.done = true;
  const auto stored = generation(2, "0.log");
  open("0.log");
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("three"));
  EXPECT_EQ(go_on({{stored}, {2, cri("one").size()}, {}, {read}}, true, "0.log", {.left = left()}), (Lines{"two", "three"}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(ResumeLeft, WithoutAPositionReadingBeginsWithTheOldest) {
  dir.write("0.log.20240501-000000", cri("done with"));
  dir.write("0.log.20240501-000010", cri("one"));
  open("0.log.20240501-000010");
  dir.write("b", cri("two"));
  open("b");
  std::filesystem::remove(dir / "b");
  dir.write("0.log", cri("three"));
  open("0.log");
  EXPECT_EQ(go_on({}, true, "0.log", {.left = left()}), (Lines{"one", "two", "three"}));
}

TEST_F(ResumeLeft, WithoutAPositionAndWithoutNamesAllAreRead) {
  for (const char* text : {"one", "two", "three"}) {
    dir.write("0.log", cri(text));
    open("0.log");
    std::filesystem::remove(dir / "0.log");
  }
  EXPECT_EQ(go_on({}, false, "0.log", {.left = left()}), (Lines{"one", "two", "three"}));
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
  EXPECT_TRUE(got[1].starts_with("weir: the content of ")) << got[1];
  EXPECT_EQ(got[2], "three");
}

TEST_F(Resume, WithoutALiveFileTheRotatedOnesAreRead) {
  dir.write("0.log", cri("one") + cri("two"));
  const auto stored = generation(1, "0.log");
  rotate("20240501-000000", false);
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}, false), (Lines{"two"}));
}

TEST_F(Resume, ATruncatedFileBeginsAgain) {
  const std::string head(1200, 'x');
  dir.write("0.log", head + "\nold\n");
  const auto raw = generation(1, "0.log");
  std::filesystem::resize_file(dir / "0.log", 1201);
  dir.write("0.log", "new\n", true);
  EXPECT_EQ(go_on({{raw}, {1, 5000}, {}}), (Lines{head, "new"}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(Resume, ATruncatedFileIsReadFromItsCopyFirst) {
  for (const bool gzip : {false, true}) {
    SCOPED_TRACE(gzip);
    dir.write("a.log", "one\ntwo\n");
    const auto stored = generation(1, "a.log", 4);
    dir.write("a.log.2", "older\n");
    if (gzip)
      write_gzip(dir / "a.log.1.gz", dir.read("a.log"));
    else
      std::filesystem::copy_file(dir / "a.log", dir / "a.log.1");
    dir.write("a.log", "x\n");  // the same inode
    EXPECT_EQ(go_on({{stored}, {1, 4}, {}}, true, "a.log"), (Lines{"two", "x"}));
    EXPECT_EQ(stats.gaps, 0U);
    for (const char* name : {"a.log", "a.log.1", "a.log.1.gz", "a.log.2"}) std::filesystem::remove(dir / name);
  }
}

TEST_F(Resume, AFileWithTheSameHeadThatIsShorterIsOneThatWasTruncatedAndItsCopyIsLonger) {
  const std::string banner = std::string(1100, '#') + "\n";
  dir.write("a.log", banner + "one\ntwo\n");
  auto stored = generation(1, "a.log");
  stored.file = *(*InputFile::open(dir / "a.log"))->identify(1024, banner.size() + 4);
  std::filesystem::copy_file(dir / "a.log", dir / "a.log.1");
  dir.write("a.log", banner);
  EXPECT_EQ(go_on({{stored}, {1, banner.size() + 4}, {}}, true, "a.log"), (Lines{"two", banner.substr(0, 1100)}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(Resume, AFileWithTheSameHeadThatIsLongerIsToldApartByWhatStandsBeforeThePlace) {
  const std::string banner = std::string(1100, '#') + "\n";
  dir.write("a.log", banner + "one\ntwo\n");
  auto stored = generation(1, "a.log");
  stored.file = *(*InputFile::open(dir / "a.log"))->identify(1024, banner.size() + 4);
  dir.write("a.log", banner + "six\nand more than before\n");  // in place
  const Lines got = go_on({{stored}, {1, banner.size() + 4}, {}}, true, "a.log");
  ASSERT_EQ(got.size(), 4U);
  EXPECT_TRUE(got[0].starts_with("weir: the content of ")) << got[0];
  EXPECT_EQ(got[2], "six");
}

TEST_F(Resume, AnotherDeviceIsTheSameFileAfterABoot) {
  dir.write("0.log", cri("one") + cri("two"));
  auto stored = generation(1, "0.log");
  stored.file.device += 7;
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}), (Lines{"two"}));
}

TEST_F(Resume, AnInodeThatWasUsedAgainIsAnotherFile) {
  dir.write("0.log", cri("one"));
  auto stored = generation(1, "0.log");
  std::filesystem::rename(dir / "0.log", dir / "0.log.20240501-000000");
  dir.write("0.log", cri("new, and longer than the other"));
  stored.file.inode = (*InputFile::open(dir / "0.log"))->inode();
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}), (Lines{"new, and longer than the other"}));
  EXPECT_EQ(stats.gaps, 0U);  // it is found by its content
}

TEST_F(Resume, AFileThatIsShorterThanItsHeadIsAnotherOne) {
  dir.write("0.log", cri("one") + cri("two"));
  auto stored = generation(1, "0.log");
  dir.write("0.log", cri("one"));
  const Lines got = go_on({{stored}, {1, cri("one").size()}, {}});
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].ends_with("is lost: the file is gone")) << got[0];
  EXPECT_EQ(got[1], "one");
}

TEST_F(Resume, AFileThatWasEmptyWhenItWasLastSeenIsNoGap) {
  dir.write("0.log", "");
  const auto stored = generation(1, "0.log", 0);
  std::filesystem::remove(dir / "0.log");
  EXPECT_EQ(go_on({{stored}, {1, 0}, {}}, false), Lines{});
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(Resume, AFileAndItsCompressedCopyAreReadOnce) {
  dir.write("0.log", cri("one") + cri("two"));
  const auto stored = generation(1, "0.log");
  rotate("20240501-000000", false);
  write_gzip(dir / "0.log.20240501-000000.gz", dir.read("0.log.20240501-000000"));
  dir.write("0.log", cri("three"));
  rotate("20240501-000010", false);
  write_gzip(dir / "0.log.20240501-000010.gz", dir.read("0.log.20240501-000010"));
  dir.write("0.log.20240501-000010.tmp", "\x1f\x8b half of it");  // what the kubelet is at
  dir.write("0.log", cri("four"));
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}), (Lines{"two", "three", "four"}));
}

TEST_F(Resume, WhatPeopleLeftBesideALogIsNotReadAsARotation) {
  dir.write("0.log", cri("one"));
  const auto stored = generation(1, "0.log");
  std::filesystem::copy_file(dir / "0.log", dir / "0.log.bak");
  dir.write("0.log", cri("two"), true);
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}), (Lines{"two"}));
}

TEST_F(Resume, ALiveFileThatWasRotatedSinceItWasOpened) {
  for (const bool gzip : {false, true}) {
    SCOPED_TRACE(gzip);
    dir.write("0.log", cri("older"));
    rotate("20240501-000000", true);
    dir.write("0.log", cri("one") + cri("two"));
    const auto stored = generation(1, "0.log");
    auto live = std::move(*InputFile::open(dir / "0.log"));
    rotate("20240501-000010", gzip);
    dir.write("0.log", cri("three"));
    rotate("20240501-000020", false);
    dir.write("0.log", cri("four"));
    LogReader log(1, dir / "0.log", options, stats, clock);
    resume(log, {{stored}, {1, cri("one").size()}, {}}, std::move(live));
    log.add_file(*InputFile::open(dir / "0.log.20240501-000020"));  // by the one who opened `live`
    log.add_file(*InputFile::open(dir / "0.log"));
    read(log);
    Lines got;
    for (const std::string& line : take_records()) got.push_back(line.substr(0, line.find(" @")));
    EXPECT_EQ(got, (Lines{"two", "three", "four"}));
    std::filesystem::remove_all(dir.path());
  }
}

TEST_F(Resume, SiblingsThatWereReadBeforeAreNotReadAgain) {
  dir.write("0.log", cri("one"));
  auto first = generation(1, "0.log");
  first.done = true;
  rotate("20240501-000000", true);
  dir.write("0.log", cri("two"));
  const auto second = generation(2, "0.log");
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("four"));
  const Lines got = go_on({{second}, {2, cri("two").size()}, {}, {first}});
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].starts_with("weir: the content of ")) << got[0];
  EXPECT_EQ(got[1], "four");
}

TEST_F(Resume, TheBeginningOfALineThatIsOpenIsLostWithItsFile) {
  dir.write("0.log", cri("one") + cri("a", "stdout", 'P'));
  auto first = generation(1, "0.log");
  first.done = true;
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("b") + cri("two"));
  const auto second = generation(2, "0.log");
  const std::uint64_t size = cri("one").size() + cri("a", "stdout", 'P').size();
  const Lines got = go_on({{first, second}, {1, cri("one").size()}, {{1, size}, {}}});
  ASSERT_EQ(got.size(), 3U);
  EXPECT_TRUE(got[0].starts_with("weir: the content of ")) << got[0];
  EXPECT_EQ(got[1], "b");
  // Nothing was open.
  EXPECT_EQ(go_on({{first, second}, {1, size}, {{1, size}, {}}}), (Lines{"b", "two"}));
}

TEST_F(Resume, ADamagedCompressedFileIsReadAsFarAsItGoes) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += cri(fmt::format("{} {}", i, i * 7919));
  dir.write("0.log", text);
  const auto stored = generation(1, "0.log");
  for (const bool cut : {false, true}) {
    SCOPED_TRACE(cut);
    dir.write("0.log", text);
    rotate("20240501-000000", true);
    std::string bytes = dir.read("0.log.20240501-000000.gz");
    if (cut)
      bytes.resize(bytes.size() / 2);
    else
      bytes[bytes.size() / 2] ^= 0x55;
    dir.write("0.log.20240501-000000.gz", bytes);
    dir.write("0.log", cri("live"));
    const Lines got = go_on({{stored}, {1, cri("0 0").size()}, {}});
    ASSERT_GT(got.size(), 1000U);
    EXPECT_EQ(got.front(), "1 7919");
    EXPECT_TRUE(got[got.size() - 2].starts_with("weir: the content of ")) << got[got.size() - 2];
    EXPECT_TRUE(got[got.size() - 2].find(cut ? "unexpected end of file" : "0.log") != std::string::npos) << got[got.size() - 2];
    EXPECT_EQ(got.back(), "live");
  }
}

TEST_F(Resume, OtherCompressionsAreNamed) {
  dir.write("0.log", cri("one"));
  const auto stored = generation(1, "0.log");
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log.1.xz", "?");
  dir.write("0.log", cri("two"));
  const Lines got = go_on({{stored}, {1, 0}, {}});
  ASSERT_EQ(got.size(), 2U);
  EXPECT_TRUE(got[0].ends_with("0.log.1.xz: of compressed files only .gz is read")) << got[0];
}

TEST_F(Resume, RotationsOfWhatALinkLeadsTo) {
  // As docker does it: the kubelet's file is a link, and docker rotates what it leads to.
  dir.write("docker/id-json.log", cri("one") + cri("two"));
  std::filesystem::create_directories(dir / "pods");
  std::filesystem::create_symlink(dir / "docker/id-json.log", dir / "pods/0.log");
  const auto stored = generation(1, "pods/0.log");
  std::filesystem::rename(dir / "docker/id-json.log", dir / "docker/id-json.log.1");
  dir.write("docker/id-json.log", cri("three"));
  EXPECT_EQ(go_on({{stored}, {1, cri("one").size()}, {}}, true, "pods/0.log"), (Lines{"two", "three"}));
  EXPECT_EQ(stats.gaps, 0U);
}

TEST_F(Resume, NamesWithoutAnExtensionAreRotatedToo) {
  dir.write("syslog", "one\ntwo\n");
  const auto stored = generation(1, "syslog");
  std::filesystem::rename(dir / "syslog", dir / "syslog.1");
  dir.write("syslog", "three\n");
  EXPECT_EQ(go_on({{stored}, {1, 4}, {}}, true, "syslog"), (Lines{"two", "three"}));
}

TEST_F(Resume, WhatWasToldToBeGoneIsNotToldAgain) {
  dir.write("0.log", cri("one"));
  const auto stored = generation(1, "0.log");
  std::filesystem::remove(dir / "0.log");
  LogReader log(1, dir / "0.log", options, stats, clock);
  EXPECT_FALSE(resume(log, {{stored}, {1, 0}, {}}, nullptr));
  log.set_gone();
  EXPECT_EQ(read(log), Outcome::finished);
  const Lines got = take();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_TRUE(got[2].ends_with(" gone>")) << got[2];
  EXPECT_EQ(stats.gaps, 1U);
  EXPECT_TRUE(go_on({{stored}, {1, LogReader::kReportedLost}, {}}, false).empty());
  EXPECT_EQ(stats.gaps, 1U);
}

// A chain that is killed and started again, with a real keeper behind the reader.
class Restarts : public Resume {
 protected:
  // Reads until there is nothing more or `budget` records and markers have become safe; the lines that were new. `before`: what
  // happens to the live file and the log before it is read.
  Lines run(std::size_t budget = std::numeric_limits<std::size_t>::max(),
            const std::function<void(LogReader&, InputFile&)>& before = nullptr) {
    spool::Keeper keeper("/spool.db");
    EXPECT_TRUE(keeper.load(snapshot));
    record::Marker begin;
    begin.type = record::Marker::Type::begin;
    begin.checkpoint = "/spool.db";
    record::Record first;
    first.marker = &begin;
    EXPECT_TRUE(keeper.track(first));
    const record::Positions positions = keeper.positions();
    std::shared_ptr<InputFile> live = std::move(*InputFile::open(dir / "0.log"));
    LogReader log(1, dir / "0.log", options, stats, clock);
    if (const auto known = positions.find(dir / "0.log"); known != positions.end())
      resume(log, known->second, live);
    else
      log.add_file(live);
    if (before) before(log, *live);
    Lines safe;
    const std::size_t size = LogReader::space_needed(options);
    Space space{batch.allocate(size), size, true};
    log.read(batch, space);
    for (const record::Record& record : batch.records) {
      if (budget-- == 0) break;
      auto verdict = keeper.track(record);
      EXPECT_TRUE(verdict) << verdict.error().message;
      if (!verdict || *verdict == spool::Verdict::repeat) continue;
      const bool generation = record.marker != nullptr && record.marker->type == record::Marker::Type::generation;
      if (!generation) keeper.advance(record.source);
      if (!record.is_marker()) safe.emplace_back(record.line.data);
    }
    items = batch.records.size();
    batch.clear();
    snapshot = keeper.snapshot();
    return safe;
  }

  std::string snapshot;
  std::size_t items = 0;
};

TEST_F(Restarts, AFileThatWasCutGoesOnAtItsEndWithOneGapWhereverTheChainIsKilled) {
  for (std::size_t kill = 0; kill < 12; ++kill) {
    SCOPED_TRACE(kill);
    snapshot.clear();
    std::filesystem::remove(dir / "0.log");
    const std::string kept = cri(std::string(1100, 'x')) + cri("a", "stderr", 'P') + cri("kept");
    dir.write("0.log", kept + cri("b", "stderr", 'P') + cri("lost by the disk"));
    EXPECT_EQ(run().size(), 3U);
    // The power fails, and what came last was not on the disk yet.
    std::filesystem::resize_file(dir / "0.log", kept.size());
    Lines got = run(kill);
    // What was written after the cut is read from where the cut was found, by whoever starts next.
    if (got.size() < 2) {
      for (const std::string& line : run()) got.push_back(line);
    }
    dir.write("0.log", cri("c", "stderr") + cri("next"), true);
    for (const std::string& line : run()) got.push_back(line);
    dir.write("0.log", cri("last"), true);
    for (const std::string& line : run()) got.push_back(line);
    const std::string gap = fmt::format(
        "weir: the content of {} from byte {} on is lost: the file is shorter than what was read of it, as after a loss of power",
        dir / "0.log", kept.size());
    EXPECT_EQ(got, (Lines{"a", gap, "c", "next", "last"}));  // "a": the line that was open, as far as it is there
  }
}

TEST_F(Restarts, AGapIsToldOnceWhereverTheChainIsKilled) {
  for (std::size_t kill = 0; kill < 8; ++kill) {
    SCOPED_TRACE(kill);
    snapshot.clear();
    std::filesystem::remove(dir / "0.log");
    dir.write("0.log", cri("one"));
    EXPECT_EQ(run(), (Lines{"one"}));
    std::filesystem::remove(dir / "0.log");
    dir.write("0.log", cri("another"));
    Lines got = run(kill);
    for (const std::string& line : run()) got.push_back(line);
    ASSERT_EQ(got.size(), 2U) << testing::PrintToString(got);
    EXPECT_TRUE(got[0].starts_with("weir: the content of ")) << got[0];
    EXPECT_EQ(got[1], "another");
  }
}

TEST_F(Restarts, ZerosAreToldOnceWhereverTheChainIsKilled) {
  const std::string zeros(500, '\0');
  for (std::size_t kill = 0; kill < 8; ++kill) {
    SCOPED_TRACE(kill);
    snapshot.clear();
    dir.write("0.log", cri("one") + cri("a", "stdout", 'P') + zeros + cri("two"));
    Lines got = run(kill);
    for (const std::string& line : run()) got.push_back(line);
    dir.write("0.log", cri("three"), true);
    for (const std::string& line : run()) got.push_back(line);
    const std::size_t from = cri("one").size() + cri("a").size();
    // The place of "a" lies in the hole: whoever starts from there tells the rest of it.
    const bool from_there = got.size() > 2 && got[2].starts_with("weir: 499 ");
    EXPECT_EQ(got, (Lines{"one", "a",
                          fmt::format("weir: {} bytes of {} from byte {} on are lost: {}", from_there ? 499 : 500, dir / "0.log",
                                      from + (from_there ? 1 : 0), kHoleCause),
                          "two", "three"}));
  }
}

TEST_F(Restarts, LastWordsComeOnceWhereverTheChainIsKilled) {
  options.follow = true;
  options.deletion_grace = 0;
  const auto next_log = [](LogReader& log, InputFile&) { log.set_succeeded(); };
  for (std::size_t kill = 0; kill < 8; ++kill) {
    SCOPED_TRACE(kill);
    snapshot.clear();
    dir.write("0.log", cri("one") + cri("a", "stdout", 'P') + cri("two", "stderr") + cri("b", "stderr", 'P') +
                           "2024-05-01T10:00:00Z stdout F c");
    Lines got = run(kill, next_log);
    for (int life = 0; life < 2; ++life) {
      for (const std::string& line : run(1000, next_log)) got.push_back(line);
    }
    EXPECT_EQ(got, (Lines{"one", "two", "ac", "b"}));
  }
}

TEST_F(Restarts, AFileThatWasGivenUpIsToldOnceWhereverTheChainIsKilled) {
  options.follow = true;
  for (std::size_t kill = 0; kill < 8; ++kill) {
    SCOPED_TRACE(kill);
    snapshot.clear();
    dir.write("0.log", cri("one") + cri("a", "stdout", 'P'));
    EXPECT_EQ(run(), (Lines{"one"}));
    dir.write("0.log", cri("two"), true);
    Lines got = run(kill, [&](LogReader& log, InputFile& file) {
      std::filesystem::remove(dir / "0.log");
      file.give_up("for want of room", nullptr);
      dir.write("0.log", cri("another"));
      log.add_file(*InputFile::open(dir / "0.log"));
    });
    for (const std::string& line : run()) got.push_back(line);
    if (got.size() == 3 && got.front() == "a") got.erase(got.begin());  // what was open; gone with the file when it was not safe
    ASSERT_EQ(got.size(), 2U) << testing::PrintToString(got);
    EXPECT_TRUE(got[0].starts_with("weir: ")) << got[0];
    EXPECT_EQ(got[1], "another");
    std::filesystem::remove(dir / "0.log");
  }
}

TEST_F(Restarts, AnInodeThatComesAgainWithTheSameFirstLineIsAnotherFile) {
  options.format = Format::raw;
  dir.write("0.log", "started\n");
  EXPECT_EQ(run(), (Lines{"started"}));
  dir.write("0.log", "one\n", true);
  EXPECT_EQ(run(), (Lines{"one"}));
  std::filesystem::rename(dir / "0.log", dir / "0.log.1");
  dir.write("0.log", "started\ntwo\n");
  EXPECT_EQ(run(), (Lines{"started", "two"}));
  // The oldest file is deleted, and its inode is that of the new one.
  std::filesystem::rename(dir / "0.log", dir / "0.log.2");
  dir.write("0.log.1", "started\n");
  std::filesystem::rename(dir / "0.log.1", dir / "0.log");
  std::filesystem::rename(dir / "0.log.2", dir / "0.log.1");
  EXPECT_EQ(run(), (Lines{"started"}));
  dir.write("0.log", "three\n", true);
  EXPECT_EQ(run(), (Lines{"three"}));
}

TEST_F(Restarts, TwoReadersTellAGapOnce) {
  dir.write("0.log", cri("one"));
  run();
  const std::string before = snapshot;
  std::filesystem::remove(dir / "0.log");
  dir.write("0.log", cri("another"));
  EXPECT_EQ(run().size(), 2U);
  // The second one started from the positions that the first did, and its stream comes after that of the first.
  spool::Keeper old("/spool.db");
  ASSERT_TRUE(old.load(before));
  spool::Keeper keeper("/spool.db");
  ASSERT_TRUE(keeper.load(snapshot));
  LogReader log(1, dir / "0.log", options, stats, clock);
  resume(log, old.positions().at(dir / "0.log"), std::move(*InputFile::open(dir / "0.log")));
  const std::size_t size = LogReader::space_needed(options);
  Space space{batch.allocate(size), size, true};
  log.read(batch, space);
  std::size_t records = 0;
  for (const record::Record& record : batch.records) {
    auto verdict = keeper.track(record);
    ASSERT_TRUE(verdict) << verdict.error().message;
    if (record.is_marker()) continue;
    ++records;
    EXPECT_EQ(*verdict, spool::Verdict::repeat) << record.line.data;
  }
  EXPECT_EQ(records, 2U);
}

}  // namespace
}  // namespace weir::tail
