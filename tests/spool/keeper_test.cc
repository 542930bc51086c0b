#include "spool/keeper.h"

#include "spool/positions_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::spool {
namespace {

using record::Marker;
using record::Record;
using record::Source;

// What a file is, as short as a test can say it.
struct File {
  std::uint64_t inode = 0;
  std::uint64_t head = 0;  // hash
  std::uint32_t head_size = 1024;
  std::uint64_t check_end = 0;
  std::uint64_t check = 0;
};

// A reader of one container's log: speaks to a keeper the way tail does.
class Stream {
 public:
  explicit Stream(Keeper& keeper) : keeper_(keeper) {
    Marker marker;
    marker.type = Marker::Type::begin;
    marker.checkpoint = "/spool.db";
    EXPECT_EQ(mark(marker, {}), "take");
  }

  Stream& file(std::uint32_t log, std::uint32_t generation, const File& file, std::string_view path = "") {
    Marker marker;
    marker.type = Marker::Type::generation;
    const std::string key = "/pods/" + std::to_string(log) + ".log";
    marker.log_key = key;
    marker.file.path = path.empty() ? std::string_view(key) : path;
    marker.file.inode = file.inode;
    marker.file.device = 7;
    marker.file.head_size = file.head_size;
    marker.file.head_hash = file.head;
    marker.file.check_end = file.check_end;
    marker.file.check_hash = file.check;
    EXPECT_EQ(mark(marker, Source::in_file(log, generation, 0, 0)), "take");
    return *this;
  }

  // A record that is taken is safe at once, as with buffer. "take", "repeat" or the error.
  std::string record(std::uint32_t log, std::uint32_t generation, std::uint64_t end, int substream = 0, bool safe = true) {
    return record(at(log, generation, end, substream), safe);
  }
  std::string record(const Source& source, bool safe = true) {
    Record record;
    record.source = source;
    const auto verdict = keeper_.track(record);
    if (!verdict) return verdict.error().message;
    if (safe && *verdict == Verdict::take) keeper_.advance(source);
    return *verdict == Verdict::take ? "take" : "repeat";
  }
  void dropped(std::uint32_t log, std::uint32_t generation, std::uint64_t end) {
    EXPECT_EQ(mark(Marker(), at(log, generation, end, 0)), "take");
    keeper_.advance(at(log, generation, end, 0));
  }
  void done(std::uint32_t log, std::uint32_t generation, std::uint64_t end, bool gone = false, bool safe = true) {
    Marker marker;
    marker.type = Marker::Type::done;
    marker.gone = gone;
    EXPECT_EQ(mark(marker, at(log, generation, end, 0)), "take");
    if (safe) keeper_.advance(at(log, generation, end, 0));
  }

  static Source at(std::uint32_t log, std::uint32_t generation, std::uint64_t end, int substream) {
    return Source::in_file(log, generation, static_cast<std::uint8_t>(substream), end);
  }

 private:
  std::string mark(const Marker& marker, const Source& source) {
    Record record;
    record.marker = &marker;
    record.source = source;
    const auto verdict = keeper_.track(record);
    return verdict ? (*verdict == Verdict::take ? "take" : "repeat") : verdict.error().message;
  }
  Keeper& keeper_;
};

// The keeper of the next process.
Keeper restart(const Keeper& keeper) {
  Keeper next("/spool.db");
  const auto loaded = next.load(keeper.snapshot());
  EXPECT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(next.positions(), keeper.positions());
  return next;
}

const record::LogPosition& position(const record::Positions& positions, int log) {
  static const record::LogPosition none;
  const auto found = positions.find("/pods/" + std::to_string(log) + ".log");
  return found == positions.end() ? none : found->second;
}

TEST(Keeper, WhatIsSafeIsAPosition) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  EXPECT_EQ(stream.record(1, 1, 100), "take");
  EXPECT_EQ(stream.record(1, 1, 180, 1), "take");
  const auto positions = keeper.positions();
  EXPECT_EQ(position(positions, 1).resume, (record::Place{1, 180}));
  EXPECT_EQ(position(positions, 1).end[0], (record::Place{1, 100}));
  EXPECT_EQ(position(positions, 1).end[1], (record::Place{1, 180}));
  ASSERT_EQ(position(positions, 1).generations.size(), 1U);
  EXPECT_EQ(position(positions, 1).generations[0].file.inode, 5U);
  restart(keeper);
}

TEST(Keeper, AFileThatWasOnlyAnnouncedIsNoPosition) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  EXPECT_TRUE(keeper.positions().empty());
  EXPECT_FALSE(keeper.moved());
}

TEST(Keeper, WhatIsTakenButNotSafeIsNoPosition) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  EXPECT_EQ(stream.record(1, 1, 100, 0, false), "take");
  EXPECT_TRUE(keeper.positions().empty());
  keeper.advance(Stream::at(1, 1, 100, 0));
  EXPECT_EQ(position(keeper.positions(), 1).resume.offset, 100U);
}

TEST(Keeper, AnotherReaderOfTheSameFileDoublesNothing) {
  Keeper keeper("/spool.db");
  const File file{.inode = 5, .head = 55};
  {
    Stream first(keeper);
    first.file(3, 9, file);
    EXPECT_EQ(first.record(3, 9, 100), "take");
    EXPECT_EQ(first.record(3, 9, 200), "take");
    EXPECT_EQ(first.record(3, 9, 300, 0, false), "take");
  }
  Keeper same = restart(keeper);
  for (Keeper* one : {&keeper, &same}) {
    Stream second(*one);  // other numbers for the same log
    second.file(3, 1, file);
    EXPECT_EQ(second.record(3, 1, 100), "repeat");
    EXPECT_EQ(second.record(3, 1, 200), "repeat");
    // In the same process it was taken already, in the next one it never became safe.
    EXPECT_EQ(second.record(3, 1, 300), one == &keeper ? "repeat" : "take");
    EXPECT_EQ(second.record(3, 1, 400), "take");
    EXPECT_GE(one->repeats(), 2U);
  }
}

TEST(Keeper, SubstreamsAreApart) {
  Keeper keeper("/spool.db");
  Stream(keeper).file(1, 1, {.inode = 5, .head = 55}).record(1, 1, 500, 0);
  Keeper next = restart(keeper);
  Stream stream(next);
  stream.file(1, 1, {.inode = 5, .head = 55});
  EXPECT_EQ(stream.record(1, 1, 400, 0), "repeat");
  EXPECT_EQ(stream.record(1, 1, 450, 1), "take");
}

TEST(Keeper, OneSubstreamIsSafeWhileTheOtherIsNot) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(0, 0, {1, 1}).record(0, 0, 10, 1);
  stream.record(0, 0, 20, 1, false);
  stream.record(0, 0, 30, 0, false);
  stream.record(0, 0, 40, 0, false);
  keeper.advance_alone(Stream::at(0, 0, 40, 0));
  EXPECT_EQ(keeper.positions().at("/pods/0.log").resume.offset, 10U);
  Keeper next("/spool.db");
  ASSERT_TRUE(next.load(keeper.snapshot()));
  Stream again(next);
  again.file(0, 0, {1, 1});
  EXPECT_EQ(again.record(0, 0, 20, 1), "take");
  EXPECT_EQ(again.record(0, 0, 30, 0), "repeat");
  EXPECT_EQ(again.record(0, 0, 40, 0), "repeat");
  EXPECT_EQ(again.record(0, 0, 50, 0), "take");
  EXPECT_EQ(next.positions().at("/pods/0.log").resume.offset, 50U);
  // In the first one, too, reading begins behind all of it as soon as the other is there.
  keeper.advance(Stream::at(0, 0, 20, 1));
  keeper.advance(Stream::at(0, 0, 40, 0));
  EXPECT_EQ(keeper.positions().at("/pods/0.log").resume.offset, 40U);
}

TEST(Keeper, ResumeLiesInAnEarlierGenerationWhileALineIsOpen) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55}).file(1, 2, {.inode = 6, .head = 66});
  Source source = Stream::at(1, 2, 70, 0);
  source.resume_generation = 1;
  source.resume = 900;
  EXPECT_EQ(stream.record(source), "take");
  const auto positions = keeper.positions();
  EXPECT_EQ(position(positions, 1).resume, (record::Place{1, 900}));
  EXPECT_EQ(position(positions, 1).end[0], (record::Place{2, 70}));
  EXPECT_EQ(position(positions, 1).generations.size(), 2U);
  restart(keeper);
}

TEST(Keeper, WhatIsToldOfALineThatWasOpenAtTheEndOfItsFileIsNew) {
  const std::uint64_t told = std::uint64_t{1} << 48;
  Keeper keeper("/spool.db");
  Stream first(keeper);
  first.file(1, 1, {10, 0xa}).file(1, 2, {11, 0xb});
  Source source = Stream::at(1, 1, 100, 1);
  source.resume = 60;
  EXPECT_EQ(first.record(source), "take");
  first.done(1, 1, 160);
  for (const char* verdict : {"take", "repeat"}) {
    Stream again(keeper);
    again.file(1, 1, {10, 0xa});
    EXPECT_EQ(again.record(1, 1, 100, 1), "repeat");
    EXPECT_EQ(again.record(1, 1, told), verdict) << "the file is gone";
    again.done(1, 1, told);
    again.file(1, 2, {11, 0xb});
    EXPECT_EQ(again.record(1, 2, 50), verdict);
  }
}

TEST(Keeper, RotationGivesANewGenerationAndForgetsTheFinishedOne) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  stream.record(1, 1, 1000);
  stream.file(1, 1, {.inode = 5, .head = 55}, "/pods/1.log.20260101");  // renamed
  stream.file(1, 2, {.inode = 6, .head = 66});
  stream.done(1, 1, 1000);
  EXPECT_EQ(stream.record(1, 2, 50), "take");
  const auto positions = keeper.positions();
  EXPECT_EQ(position(positions, 1).resume, (record::Place{2, 50}));
  ASSERT_EQ(position(positions, 1).generations.size(), 1U);
  EXPECT_EQ(position(positions, 1).generations[0].file.inode, 6U);

  // A reader that started before the rotation reads the finished file once more.
  Keeper next = restart(keeper);
  Stream late(next);
  late.file(1, 1, {.inode = 5, .head = 55});
  EXPECT_EQ(late.record(1, 1, 800), "repeat");
  EXPECT_EQ(late.record(1, 1, 1000), "repeat");
  late.file(1, 2, {.inode = 6, .head = 66});
  EXPECT_EQ(late.record(1, 2, 50), "repeat");
  EXPECT_EQ(late.record(1, 2, 90), "take");
}

TEST(Keeper, DoneTakesEffectWhenAllBeforeItIsSafe) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  stream.record(1, 1, 500, 0, false);
  stream.done(1, 1, 500, false, false);
  EXPECT_FALSE(keeper.moved());
  keeper.advance(Stream::at(1, 1, 500, 0));
  ASSERT_EQ(position(keeper.positions(), 1).generations.size(), 1U);
  EXPECT_TRUE(position(keeper.positions(), 1).generations[0].done);
}

// All of stdout was safe before the file ended, and what is left is of stderr.
TEST(Keeper, DoneWaitsForBothSubstreams) {
  Keeper keeper("/spool.db");
  std::vector<std::string> done;
  keeper.on_done([&](const Source& source) { done.push_back(source.to_string()); });
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  stream.record(1, 1, 500, 0);
  stream.record(1, 1, 400, 1, false);
  stream.done(1, 1, 500, false, false);
  EXPECT_FALSE(position(keeper.positions(), 1).generations.at(0).done);
  keeper.advance(Stream::at(1, 1, 400, 1));
  EXPECT_TRUE(done.empty());
  keeper.advance(Stream::at(1, 1, 500, 0));
  EXPECT_TRUE(position(keeper.positions(), 1).generations.at(0).done);
  EXPECT_EQ(done, std::vector<std::string>{Stream::at(1, 1, 500, 0).to_string()});
}

TEST(Keeper, AFileWithoutRecordsOfASubstreamIsDone) {
  for (const int substream : {0, 1}) {
    SCOPED_TRACE(substream);
    Keeper keeper("/spool.db");
    int done = 0;
    keeper.on_done([&](const Source&) { ++done; });
    Stream stream(keeper);
    stream.file(1, 1, {.inode = 5, .head = 55});
    stream.record(1, 1, 500, substream);
    stream.done(1, 1, 500);
    EXPECT_TRUE(position(keeper.positions(), 1).generations.at(0).done);
    EXPECT_EQ(done, 1);
  }
}

// A tail that begins again behind a keeper that goes on: what that took before is a repeat, and the file is done with all the same.
TEST(Keeper, AFileIsDoneInALaterStream) {
  Keeper keeper("/spool.db");
  Stream(keeper).file(1, 1, {.inode = 5, .head = 55}).record(1, 1, 400, 1);
  Stream again(keeper);
  again.file(1, 1, {.inode = 5, .head = 55});
  EXPECT_EQ(again.record(1, 1, 400, 1), "repeat");
  again.record(1, 1, 500, 0);
  again.done(1, 1, 500);
  EXPECT_TRUE(position(keeper.positions(), 1).generations.at(0).done);
}

TEST(Keeper, AnInodeThatIsUsedAgainIsAnotherFile) {
  Keeper keeper("/spool.db");
  Stream(keeper).file(1, 1, {.inode = 5, .head = 55}).record(1, 1, 1000);
  Keeper next = restart(keeper);
  Stream stream(next);
  stream.file(1, 1, {.inode = 5, .head = 77});
  EXPECT_EQ(stream.record(1, 1, 10), "take");
  EXPECT_EQ(position(next.positions(), 1).end[0], (record::Place{2, 10}));
}

TEST(Keeper, AConstantBannerIsToldApartByTheCheck) {
  Keeper keeper("/spool.db");
  Stream(keeper).file(1, 1, {.inode = 5, .head = 55, .check_end = 1000, .check = 1}).record(1, 1, 1000);
  Keeper next = restart(keeper);
  Stream stream(next);
  stream.file(1, 1, {.inode = 5, .head = 55, .check_end = 1000, .check = 2});
  EXPECT_EQ(stream.record(1, 1, 500), "take");
}

TEST(Keeper, TwoNumbersOfOneStreamAreTwoFilesHoweverAlike) {
  Keeper keeper("/spool.db");
  const File banner{.inode = 5, .head = 55};
  Stream(keeper).file(1, 1, banner).record(1, 1, 1000);
  Keeper next = restart(keeper);
  Stream stream(next);
  stream.file(1, 1, banner);  // the stored one, which tail found truncated
  stream.done(1, 1, 1000);
  stream.file(1, 2, banner);
  EXPECT_EQ(stream.record(1, 2, 10), "take");
  EXPECT_EQ(position(next.positions(), 1).resume, (record::Place{2, 10}));
}

TEST(Keeper, AGrowingFileIsKnownByEveryIdentityItHad) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 1, .head_size = 100});
  stream.record(1, 1, 100);
  stream.file(1, 1, {.inode = 5, .head = 2, .head_size = 1024});
  stream.record(1, 1, 2000);
  stream.file(1, 1, {.inode = 5, .head = 2, .head_size = 1024, .check_end = 2000, .check = 9});
  stream.record(1, 1, 3000);
  Keeper next = restart(keeper);
  for (const File& known : {File{.inode = 5, .head = 1, .head_size = 100}, File{.inode = 5, .head = 2, .head_size = 1024},
                            File{.inode = 5, .head = 2, .head_size = 1024, .check_end = 2000, .check = 9}}) {
    Stream early(next);
    early.file(1, 1, known);
    EXPECT_EQ(early.record(1, 1, 2500), "repeat");
  }
  // What it is now stays what was announced last by the one that knows most.
  EXPECT_EQ(position(next.positions(), 1).generations[0].file.check_end, 2000U);
}

TEST(Keeper, AForgottenFileThatComesBackHidesNothingOfTheLiveOne) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 6, .head = 66});
  stream.record(1, 1, 500);
  stream.file(1, 2, {.inode = 4, .head = 44});  // unknown, so it gets a higher number than the live one
  EXPECT_EQ(stream.record(1, 2, 9000), "take");
  EXPECT_EQ(stream.record(1, 1, 600), "take");
  Keeper next = restart(keeper);
  Stream again(next);
  again.file(1, 1, {.inode = 6, .head = 66});
  EXPECT_EQ(again.record(1, 1, 600), "repeat");
  EXPECT_EQ(again.record(1, 1, 700), "take");
}

TEST(Keeper, WhatWasDroppedOnPurposeIsNotReadAgain) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  stream.dropped(1, 1, 700);
  EXPECT_EQ(position(keeper.positions(), 1).resume.offset, 700U);
}

TEST(Keeper, GoneLogsLeaveThePositionsButAreStillKnown) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  stream.record(1, 1, 500);
  stream.done(1, 1, 500, true);
  EXPECT_TRUE(keeper.positions().empty());
  Keeper next = restart(keeper);
  Stream late(next);
  late.file(1, 1, {.inode = 5, .head = 55});
  EXPECT_EQ(late.record(1, 1, 400), "repeat");
  // The same pod with a new file (a static pod keeps its uid).
  late.file(1, 2, {.inode = 9, .head = 99});
  EXPECT_EQ(late.record(1, 2, 40), "take");
  EXPECT_EQ(position(next.positions(), 1).resume, (record::Place{2, 40}));
}

TEST(Keeper, ToldOnRequestWhichFilesTheyHadAndHowFarEachWasRead) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  stream.file(1, 1, {.inode = 5, .head = 55});
  stream.record(1, 1, 500);
  stream.record(1, 1, 620, 1);
  stream.done(1, 1, 620);
  stream.file(1, 2, {.inode = 6, .head = 66});
  stream.record(1, 2, 80);
  EXPECT_EQ(position(keeper.positions(), 1).finished.at(0).end, 620U);
  EXPECT_EQ(position(keeper.positions(), 1).generations.at(0).end, 80U);
  EXPECT_EQ(keeper.positions(true), keeper.positions());
  stream.done(1, 2, 84, true);
  EXPECT_TRUE(keeper.positions().empty());
  const record::LogPosition gone = position(restart(keeper).positions(true), 1);
  EXPECT_TRUE(gone.gone);
  EXPECT_EQ(gone.finished.at(0).end, 620U);
  EXPECT_EQ(gone.generations.at(0).end, 84U);
}

TEST(Keeper, ThousandsOfGoneLogsDoNotPileUp) {
  Keeper keeper("/spool.db");
  for (std::uint32_t round = 0; round < 6; ++round) {
    Stream stream(keeper);
    for (std::uint32_t log = round * 500; log < (round + 1) * 500; ++log) {
      stream.file(log, 1, {.inode = log + 10, .head = log * 31});
      stream.record(log, 1, 500);
      stream.done(log, 1, 500, true);
    }
    EXPECT_LT(keeper.snapshot().size(), 30'000U);
    keeper = restart(keeper);
  }
}

TEST(Keeper, WhatIsGoneIsForgottenWithItsNumber) {
  constexpr std::uint32_t kFirst = 4'000'000'000U;
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  for (std::uint32_t log = kFirst; log < kFirst + 1000; ++log) {
    stream.file(log, 1, {.inode = log, .head = log});
    EXPECT_TRUE(keeper.follows(log));
    EXPECT_EQ(stream.record(log, 1, 500, 0, false), "take");
    stream.done(log, 1, 504, true, false);
    EXPECT_TRUE(keeper.follows(log));  // until its end is safe
    keeper.advance(Stream::at(log, 1, 500, 0));
    keeper.advance(Stream::at(log, 1, 504, 0));
    EXPECT_FALSE(keeper.follows(log));
    keeper.advance(Stream::at(log, 1, 504, 0));  // changes nothing
    keeper.committed();
  }
  EXPECT_TRUE(keeper.positions().empty());
}

TEST(Keeper, ALogThatComesBackAfterASnapshotLeftItOut) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  for (std::uint32_t log = 1; log <= 400; ++log) {
    stream.file(log, 1, {.inode = log + 10, .head = log * 31});
    stream.record(log, 1, 500);
    stream.done(log, 1, 500, true);
    if (log == 200) keeper.committed();
  }
  const std::string snapshot = keeper.snapshot();
  if (keeper.moved()) keeper.committed();
  stream.file(1, 1, {.inode = 7, .head = 77});
  EXPECT_EQ(stream.record(1, 1, 30), "take");
  Keeper copy("/spool.db");
  ASSERT_TRUE(copy.load(snapshot));
  ASSERT_TRUE(copy.load(keeper.delta()));
  EXPECT_EQ(copy.positions(), keeper.positions());
  EXPECT_EQ(position(copy.positions(), 1).resume.offset, 30U);
}

TEST(Keeper, DeltasAddUpToTheSnapshot) {
  Keeper keeper("/spool.db");
  Keeper copy("/spool.db");
  Stream stream(keeper);
  std::mt19937 random(7);
  std::uint64_t ends[20] = {};
  for (std::uint32_t log = 0; log < 20; ++log) stream.file(log, 1, {.inode = log + 1, .head = log});
  for (int step = 0; step < 300; ++step) {
    for (int i = 0; i < 5; ++i) {
      const std::uint32_t log = random() % 20;
      stream.record(log, 1, ends[log] += 1 + random() % 100, static_cast<int>(random() % 2));
    }
    if (random() % 3 != 0) continue;
    ASSERT_TRUE(copy.load(keeper.delta()));
    keeper.committed();
    ASSERT_EQ(copy.positions(), keeper.positions());
    EXPECT_EQ(keeper.delta(), "");
  }
}

TEST(Keeper, JoinedDeltasSayWhatTheySayOneByOne) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    Keeper keeper("/spool.db");
    Stream stream(keeper);
    std::vector<std::string> deltas;
    std::vector<std::uint32_t> generation(6, 0);
    std::vector<std::uint64_t> end(6, 0);
    for (int step = 0; step < 60; ++step) {
      const std::uint32_t log = random() % 6;
      if (generation[log] == 0 || random() % 8 == 0) {
        if (generation[log] != 0) stream.done(log, generation[log], end[log] + 1, random() % 4 == 0);
        stream.file(log, ++generation[log], {.inode = 100 * log + generation[log], .head = random()});
        end[log] = 0;
      }
      end[log] += 1 + random() % 300;
      stream.record(log, generation[log], end[log], static_cast<int>(random() % 2));
      if (random() % 3 == 0) {
        deltas.push_back(keeper.delta());
        keeper.committed();
      }
    }
    deltas.push_back(keeper.delta());
    std::vector<std::string> joined;
    for (std::size_t from = 0; from < deltas.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 7, deltas.size() - from);
      const std::vector<std::string_view> some(deltas.begin() + static_cast<std::ptrdiff_t>(from),
                                               deltas.begin() + static_cast<std::ptrdiff_t>(from + count));
      joined.push_back(join_deltas(some));
      from += count;
    }
    Keeper one_by_one("/spool.db");
    Keeper together("/spool.db");
    for (const std::string& delta : deltas) ASSERT_TRUE(one_by_one.load(delta));
    for (const std::string& delta : joined) ASSERT_TRUE(together.load(delta));
    EXPECT_EQ(together.snapshot(), one_by_one.snapshot());
    EXPECT_EQ(together.positions(), keeper.positions());
  }
  EXPECT_EQ(join_deltas({}), "");
}

TEST(Keeper, ADeltaNamesOnlyTheLogsThatMoved) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  for (std::uint32_t log = 0; log < 1000; ++log) {
    stream.file(log, 1, {.inode = log + 1, .head = log});
    stream.record(log, 1, 100);
  }
  EXPECT_GT(keeper.delta().size(), 5000U);
  keeper.committed();
  for (std::uint32_t log = 0; log < 10; ++log) stream.record(log, 1, 100'000);
  EXPECT_LT(keeper.delta().size(), 150U);
}

TEST(KeeperFailure, Tables) {
  Keeper keeper("/spool.db");
  const auto refuse = [&](const Marker* marker, const Source& source, std::string_view fragment) {
    Record record;
    record.marker = marker;
    record.source = source;
    const auto verdict = keeper.track(record);
    ASSERT_FALSE(verdict) << fragment;
    EXPECT_EQ(verdict.error().code, base::Code::usage);
    EXPECT_NE(verdict.error().message.find(fragment), std::string::npos) << verdict.error().message;
  };
  Marker other;
  other.type = Marker::Type::begin;
  other.checkpoint = "/other.db";
  refuse(&other, {}, "'/other.db'");
  Marker spool;
  spool.type = Marker::Type::begin;
  spool.checkpoint = "/spool.db";
  spool.spool = 77;
  refuse(&spool, {}, "acknowledgement");
  refuse(nullptr, Source::in_file(1, 1, 0, 10), "no marker has introduced");
  refuse(nullptr, Source::in_spool(1, 1, 0), "another spool");
}

TEST(KeeperFailure, DamagedPositionsAreAnError) {
  Keeper keeper("/spool.db");
  Stream stream(keeper);
  for (std::uint32_t log = 0; log < 3; ++log) {
    stream.file(log, 1, {.inode = log + 1, .head = log});
    stream.record(log, 1, 100);
  }
  const std::string good = keeper.snapshot();
  for (std::size_t size = 1; size < good.size(); ++size) {
    Keeper next("/spool.db");
    const auto loaded = next.load(good.substr(0, size));
    if (!loaded) {
      EXPECT_EQ(loaded.error().code, base::Code::corrupt);
    }
  }
  EXPECT_FALSE(Keeper("/spool.db").load("\x07what"));
}

}  // namespace
}  // namespace weir::spool
