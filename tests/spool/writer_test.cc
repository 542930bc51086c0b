#include "spool/writer.h"

#include "spool/disk_space.h"
#include "spool/inspection.h"
#include "spool_fixture.h"
#include "sqlite/database.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>

namespace weir::spool {
namespace {

using base::Code;
using Lines = std::vector<std::string>;
class WriterTest : public SpoolTest {};

TEST_F(WriterTest, WhatWasAppendedIsThereAfterReopening) {
  const std::uint64_t id = [&] {
    const auto writer = open();
    EXPECT_EQ(append(*writer, {{"a"}, {"b"}}).block, 1U);
    EXPECT_EQ(append(*writer, {{"c"}}).block, 2U);
    return writer->spool();
  }();
  EXPECT_EQ(contents(), (Lines{"a:undelivered", "b:undelivered", "c:undelivered"}));
  const auto writer = open();
  EXPECT_EQ(writer->spool(), id);
  EXPECT_NE(id, 0U);
  EXPECT_EQ(append(*writer, {{"d"}}).block, 3U);
}

TEST_F(WriterTest, NothingToStoreStoresNothing) {
  const auto writer = open();
  EXPECT_EQ(append(*writer, {}).block, 0U);
  EXPECT_TRUE(contents().empty());
}

TEST_F(WriterTest, TheFileIsForItsOwnerOnly) {
  const auto writer = open();
  append(*writer, {{"a"}});
  for (const char* suffix : {"", "-wal", "-shm", "-lock"}) {
    struct stat status = {};
    ASSERT_EQ(::stat((path() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << suffix;
  }
}

record::Source at(std::uint64_t end) { return record::Source::in_file(1, 1, 0, end); }

void announce(Keeper& keeper) {
  record::Marker marker;
  marker.type = record::Marker::Type::generation;
  marker.log_key = marker.file.path = "/pods/a/0.log";
  marker.file.inode = 5;
  marker.file.head_size = 3;
  marker.file.head_hash = 99;
  record::Record record;
  record.marker = &marker;
  record.source = at(0);
  ASSERT_TRUE(keeper.track(record));
}

TEST_F(WriterTest, PositionsAreInTheSameTransaction) {
  const auto writer = open();
  auto keeper = writer->load_keeper();
  ASSERT_TRUE(keeper);
  announce(*keeper);
  for (std::uint64_t end = 10; end <= 3000; end += 10) {
    keeper->advance(at(end));
    append(*writer, end % 30 == 0 ? std::vector<Line>{} : std::vector<Line>{{"x"}}, &*keeper);
    if (end % 250 == 0) {
      const auto positions = read_positions(path(), 0);
      ASSERT_TRUE(positions) << positions.error().message;
      ASSERT_EQ(positions->at("/pods/a/0.log").resume.offset, end);
    }
  }
  // Rows that carried only positions do not pile up.
  sqlite::Database database = std::move(*sqlite::Database::open(path(), sqlite::Access::read, 0));
  EXPECT_LT(*database.integer("SELECT count(*) FROM blocks WHERE records = 0"), 64);
  EXPECT_EQ(*database.integer("SELECT count(*) FROM positions"), 1);
}

TEST_F(WriterTest, PositionsOutliveTheBlocksThatCarriedThem) {
  {
    WriterOptions small = options();
    small.max_size = 4 << 20;
    const auto writer = open(small);
    auto keeper = writer->load_keeper();
    announce(*keeper);
    for (std::uint64_t i = 1; i <= 40; ++i) {
      keeper->advance(at(i * 100));
      append(*writer, {{noise(300'000, static_cast<unsigned>(i))}}, &*keeper);
    }
    EXPECT_LT(contents().size(), 20U);
    EXPECT_EQ(read_positions(path(), 0)->at("/pods/a/0.log").resume.offset, 4000U);
  }
  clock_.advance(48 * base::kHour);
  const auto writer = open();
  append(*writer, {{"newest"}});
  Appended evicted;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(contents(), (Lines{"newest:undelivered"}));
  EXPECT_EQ(read_positions(path(), 0)->at("/pods/a/0.log").resume.offset, 4000U);
}

TEST_F(WriterTest, BlockNumbersAreNeverUsedTwice) {
  {
    const auto writer = open();
    append(*writer, {{"a"}});
    append(*writer, {{"b"}});
  }
  {
    const auto reader = consumer();
    acknowledge_before(*reader, 9, 0);
    ASSERT_TRUE(reader->commit());
  }
  EXPECT_EQ(append(*open(), {{"c"}}).block, 9U);
}

TEST_F(WriterTest, WithNoConsumerItIsARing) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  const auto writer = open(small);
  std::uint64_t evicted = 0;
  for (unsigned i = 0; i < 60; ++i) {
    const Appended appended = append(*writer, {{noise(200'000, i)}});
    evicted += appended.evicted_delivered;
    EXPECT_EQ(appended.evicted_undelivered, 0U);
    EXPECT_TRUE(appended.ring);
  }
  EXPECT_GT(evicted, 30U);
  EXPECT_EQ(evicted + contents().size(), 60U);
}

TEST_F(WriterTest, WhatWasNotPassedOnStandsForAConsumerThatIsNotRegistered) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.forwards_to = "main";
  const auto writer = open(small);
  BlockBuilder builder;
  unsigned taken = 0;
  const auto fill_up = [&] {
    for (;; ++taken) {
      ASSERT_LT(taken, 100U);
      builder.take();
      fill(builder, {{noise(300'000, taken)}});
      auto appended = writer->append(builder, nullptr);
      if (!appended) {
        EXPECT_EQ(appended.error().code, Code::full);
        return;
      }
      EXPECT_TRUE(appended->ring);
      EXPECT_EQ(appended->evicted_undelivered, 0U);
    }
  };
  fill_up();
  const unsigned full = taken;
  EXPECT_EQ(contents().size(), full) << "nothing was passed on";
  writer->keep_from(4);
  fill_up();
  EXPECT_EQ(taken - full, 3U) << "blocks 1 to 3 were passed on";
  // Another consumer, which has everything, does not stand for the one that is missing.
  {
    const auto other = consumer("other");
    acknowledge_before(*other, 1000, 0);
    ASSERT_TRUE(other->commit());
  }
  EXPECT_FALSE(writer->append(builder, nullptr));
  // From here on its own place counts.
  const auto main = consumer();
  writer->keep_from(1000);
  EXPECT_FALSE(writer->append(builder, nullptr));
  acknowledge_before(*main, 6, 0);
  ASSERT_TRUE(main->commit());
  EXPECT_TRUE(writer->append(builder, nullptr));
}

TEST_F(WriterTest, WhatWasThereBeforeAndIsEvictedUndeliveredIsCountedApart) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.on_full = OnFull::drop_oldest;
  small.forwards_to = "main";
  {
    const auto writer = open(small);
    std::uint64_t own = 0;
    for (unsigned i = 0; i < 30; ++i) {
      const Appended appended = append(*writer, {{noise(300'000, i)}});
      own += appended.evicted_undelivered;
      EXPECT_EQ(appended.evicted_backlog, 0U);
    }
    EXPECT_GT(own, 10U);
  }
  const std::size_t before = contents().size();
  const auto writer = open(small);
  std::uint64_t backlog = 0, all = 0;
  for (unsigned i = 0; i < 30; ++i) {
    const Appended appended = append(*writer, {{noise(300'000, i)}});
    backlog += appended.evicted_backlog;
    all += appended.evicted_undelivered;
  }
  EXPECT_EQ(backlog, before);
  EXPECT_GT(all, backlog);
  EXPECT_EQ(read_status(path())->evicted_undelivered, 0U) << "nobody knows what was passed on from memory";
}

TEST_F(WriterTest, DeliveredGoFirstThenHeld) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  const auto writer = open(small);
  consumer();
  append(*writer, {{"h" + noise(400'000, 1), true}});  // 1: held
  append(*writer, {{"d" + noise(400'000, 2)}});        // 2: delivered
  append(*writer, {{"u" + noise(400'000, 3)}});        // 3: undelivered
  {
    const auto main = consumer();
    acknowledge_before(*main, 3, 0);
    ASSERT_TRUE(main->commit());
  }
  std::string order;
  for (unsigned i = 4; i < 12; ++i) {
    BlockBuilder builder;
    fill(builder, {{"n" + noise(400'000, i)}});
    auto appended = writer->append(builder, nullptr);
    if (!appended) {
      EXPECT_EQ(appended.error().code, Code::full);
      break;
    }
    if (appended->evicted_delivered > 0) order += "d";
    if (appended->evicted_held > 0) order += "h";
    EXPECT_EQ(appended->evicted_undelivered, 0U);
  }
  EXPECT_EQ(order, "dh");
  EXPECT_EQ(contents().front()[0], 'u');
}

TEST_F(WriterTest, AFullSpoolBlocksOrDropsTheOldest) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  auto writer = open(small);
  consumer();
  unsigned taken = 0;
  BlockBuilder builder;
  for (;; ++taken) {
    ASSERT_LT(taken, 100U);
    builder.take();
    fill(builder, {{noise(300'000, taken)}});
    auto appended = writer->append(builder, nullptr);
    if (appended) continue;
    EXPECT_EQ(appended.error().code, Code::full);
    break;
  }
  EXPECT_EQ(contents().size(), taken);
  EXPECT_FALSE(builder.empty());

  // Room appears as soon as something is acknowledged, and the same block goes in.
  {
    const auto main = consumer();
    acknowledge_before(*main, 3, 0);
    ASSERT_TRUE(main->commit());
  }
  ASSERT_TRUE(writer->append(builder, nullptr));

  small.on_full = OnFull::drop_oldest;
  writer.reset();
  writer = open(small);
  std::uint64_t lost = 0;
  for (unsigned i = 0; i < 10; ++i) lost += append(*writer, {{noise(300'000, 1000 + i)}}).evicted_undelivered;
  EXPECT_GE(lost, 9U);
  EXPECT_EQ(read_status(path())->evicted_undelivered, lost);
}

TEST_F(WriterTest, TellsTheStreamsOfUndeliveredBlocksThatItEvicts) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.on_full = OnFull::drop_oldest;
  for (const bool registered : {false, true}) {
    SCOPED_TRACE(registered);
    std::filesystem::remove(path());
    if (registered) {
      const auto writer = open(small);
      static_cast<void>(consumer());
    }
    const auto writer = open(small);
    std::map<std::string, StreamInfo> lost;
    std::uint64_t records = 0;
    std::uint64_t block = 0;
    for (unsigned i = 0; i < 30; ++i) {
      const Appended appended =
          append(*writer, {{noise(300'000, i), false, "web", 1000 + i}, {"short", false, "db", 10}, {"longer", false, "db", 20}});
      records += appended.evicted_undelivered;
      EXPECT_EQ(appended.evicted_streams.empty(), appended.evicted_undelivered == 0);
      for (const EvictedStream& one : appended.evicted_streams) {
        EXPECT_GE(one.block, block) << "the oldest first";
        EXPECT_LT(one.block, appended.block);
        block = one.block;
        StreamInfo& sum = lost[std::string(one.stream.labels->get("pod"))];
        sum.records += one.stream.records;
        sum.line_bytes += one.stream.line_bytes;
        sum.max_timestamp = one.stream.max_timestamp;
      }
    }
    if (!registered) {
      EXPECT_TRUE(lost.empty()) << "a ring loses nothing";
      continue;
    }
    ASSERT_GT(records, 30U);
    ASSERT_EQ(lost.size(), 2U);
    EXPECT_EQ(lost["web"].records + lost["db"].records, records);
    EXPECT_EQ(lost["web"].line_bytes, lost["web"].records * 300'000U);
    EXPECT_EQ(lost["db"].line_bytes, lost["web"].records * 11U);
    EXPECT_EQ(lost["web"].max_timestamp, 1000 + lost["web"].records - 1);
    EXPECT_EQ(lost["db"].max_timestamp, 20);
  }
}

TEST_F(WriterTest, ADamagedListOfStreamsDoesNotStopAnEviction) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.on_full = OnFull::drop_oldest;
  auto writer = open(small);
  static_cast<void>(consumer());
  append(*writer, {{noise(300'000, 1)}, {"two"}});
  writer.reset();
  {
    auto database = sqlite::Database::open(path(), sqlite::Access::write, 0);
    ASSERT_TRUE(database) << database.error().message;
    ASSERT_TRUE(database->execute("UPDATE blocks SET streams = x'ff00'"));
  }
  writer = open(small);
  static_cast<void>(writer->take_report());
  Appended appended;
  for (unsigned i = 0; i < 30 && appended.evicted_undelivered == 0; ++i) appended = append(*writer, {{noise(300'000, 10 + i)}});
  EXPECT_EQ(appended.evicted_undelivered, 2U);
  EXPECT_TRUE(appended.evicted_streams.empty());
  const Report report = writer->take_report();
  ASSERT_EQ(report.sentences.size(), 1U);
  EXPECT_NE(report.sentences[0].find("no gap record tells that 2 records were evicted"), std::string::npos) << report.sentences[0];
}

TEST_F(WriterTest, TheFileStaysWithinItsLimit) {
  WriterOptions small = options();
  small.max_size = 8 << 20;
  const auto writer = open(small);
  std::uintmax_t largest = 0;
  for (unsigned i = 0; i < 160; ++i) {
    append(*writer, {{noise(200'000, i)}});
    largest = std::max(largest, std::filesystem::file_size(path()) + std::filesystem::file_size(path() + "-wal"));
  }
  EXPECT_LT(largest, (8U << 20) * 12 / 10);
}

TEST_F(WriterTest, RetainIsForDeliveredRecordsAndHoldForHeldOnes) {
  WriterOptions times = options();
  times.retain = base::kHour;
  times.hold = 3 * base::kHour;
  const auto writer = open(times);
  consumer();
  append(*writer, {{"delivered"}});
  append(*writer, {{"held", true}});
  append(*writer, {{"undelivered"}});
  append(*writer, {{"newest"}});
  {
    const auto main = consumer();
    acknowledge_before(*main, 3, 0);
    ASSERT_TRUE(main->commit());
  }
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(contents().size(), 4U);
  clock_.advance(2 * base::kHour);
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(contents(), (Lines{"held:held", "undelivered:undelivered", "newest:undelivered"}));
  clock_.advance(2 * base::kHour);
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(contents(), (Lines{"undelivered:undelivered", "newest:undelivered"}));
}

TEST_F(WriterTest, ASecondWriterWaitsAndNamesTheFirst) {
  const auto writer = open();
  const auto second = Writer::open(options(), clock_, nullptr);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_NE(second.error().message.find("process " + std::to_string(::getpid())), std::string::npos) << second.error().message;
}

TEST_F(WriterTest, ALinkToASpoolIsThatSpool) {
  const auto writer = open();
  append(*writer, {{"a"}});
  std::filesystem::create_directory(dir_ / "other");
  std::filesystem::create_symlink("../spool.db", dir_ / "other/link.db");
  std::filesystem::create_symlink(dir_ / "other/link.db", dir_ / "link.db");
  WriterOptions linked = options();
  linked.path = dir_ / "link.db";
  linked.wait = 0;
  const auto second = Writer::open(linked, clock_, nullptr);
  ASSERT_FALSE(second) << "two writers of one file";
  EXPECT_EQ(second.error().code, Code::busy);
  const auto main = consumer();
  const auto same = Consumer::open({.path = dir_ / "other/link.db", .name = "main", .spool = 0, .match = "", .wait = 0}, clock_);
  ASSERT_FALSE(same);
  EXPECT_EQ(same.error().code, Code::busy);
  EXPECT_NE(same.error().hint.find("--as NAME"), std::string::npos) << same.error().hint;
}

TEST_F(WriterTest, AFileThatIsGoneFromItsPathIsToldOnce) {
  const auto writer = open();
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_TRUE(writer->take_report().sentences.empty());
  std::filesystem::rename(path(), path() + ".moved");
  ASSERT_TRUE(writer->maintain(evicted));
  const Report report = writer->take_report();
  ASSERT_EQ(report.sentences.size(), 1U);
  EXPECT_NE(report.sentences.front().find("was deleted or replaced"), std::string::npos) << report.sentences.front();
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_TRUE(writer->take_report().sentences.empty());
  std::filesystem::rename(path() + ".moved", path());
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_TRUE(writer->take_report().sentences.empty());
}

TEST_F(WriterTest, AnotherFormatOrFileIsRefusedAndLeftAsItIs) {
  { open(); }
  {
    sqlite::Database database = std::move(*sqlite::Database::open(path(), sqlite::Access::write, 0));
    ASSERT_TRUE(database.execute("PRAGMA user_version = 9"));
  }
  EXPECT_EQ(Writer::open(options(), clock_, nullptr).error().code, Code::version);
  EXPECT_EQ(Reader::open(path(), 0).error().code, Code::version);
  EXPECT_EQ(read_positions(path(), 0).error().code, Code::version);
  EXPECT_EQ(Consumer::open({.path = path()}, clock_).error().code, Code::version);

  const std::string theirs = dir_ / "theirs.db";
  {
    sqlite::Database database = std::move(*sqlite::Database::open(theirs, sqlite::Access::create, 0));
    ASSERT_TRUE(database.execute("CREATE TABLE t (i)"));
  }
  WriterOptions other = options();
  other.path = theirs;
  EXPECT_EQ(Writer::open(other, clock_, nullptr).error().code, Code::usage);
  dir_.write("text.db", "this is a log, no spool\n" + std::string(2000, '-'));
  EXPECT_EQ(read_positions(dir_ / "text.db", 0).error().code, Code::usage);
}

TEST_F(WriterTest, AnAbsentOrEmptyFileHasNoPositions) {
  EXPECT_TRUE(read_positions(path(), 0)->empty());
  EXPECT_FALSE(std::filesystem::exists(path()));
  dir_.write("empty.db", "");
  EXPECT_TRUE(read_positions(dir_ / "empty.db", 0)->empty());
  EXPECT_EQ(Reader::open(path(), 0).error().code, Code::io);
}

TEST_F(WriterTest, DamageIsFoundByTheChecksum) {
  {
    const auto writer = open();
    append(*writer, {{"a"}});
    append(*writer, {{"b"}});
  }
  EXPECT_TRUE(check_spool(path())->problems.empty());
  {
    sqlite::Database database = std::move(*sqlite::Database::open(path(), sqlite::Access::write, 0));
    ASSERT_TRUE(database.execute("UPDATE bodies SET body = zeroblob(length(body)) WHERE block = 1"));
  }
  record::Batch batch;
  const auto from = reader();
  EXPECT_EQ(from->load(1, {}, batch).error().code, Code::corrupt);
  EXPECT_TRUE(*from->load(2, {}, batch));
  const auto check = check_spool(path());
  EXPECT_EQ(check->blocks, 1U);
  ASSERT_EQ(check->problems.size(), 1U);
  EXPECT_NE(check->problems[0].find("block 1"), std::string::npos) << check->problems[0];
}

// -- blocks that are passed on before they are stored --

class HandedTest : public SpoolTest {
 protected:
  // The delta of a log that has been read to `end`.
  std::string moved_to(std::uint64_t end, std::uint64_t inode = 3) {
    if (inode != inode_) {
      record::Marker marker;
      marker.type = record::Marker::Type::generation;
      marker.log_key = marker.file.path = "/a.log";
      marker.file.inode = inode_ = inode;
      record::Record record;
      record.marker = &marker;
      record.source = record::Source::in_file(1, ++generation_, 0, 0);
      EXPECT_TRUE(keeper_.track(record));
    }
    keeper_.advance(record::Source::in_file(1, generation_, 0, end));
    const std::string delta = keeper_.delta();
    keeper_.committed();
    return delta;
  }
  std::uint64_t safe_to() {
    const auto positions = read_positions(path(), 0);
    EXPECT_TRUE(positions);
    return positions->empty() ? 0 : positions->at("/a.log").resume.offset;
  }
  // A block that is passed on by this writer.
  Handed hand(Writer& writer, std::uint64_t end) {
    const auto number = writer.hand_out();
    EXPECT_TRUE(number);
    return {*number, moved_to(end)};
  }
  void acknowledge(const Handed& handed, const std::string& name = "main") {
    const auto who = consumer(name);
    who->acknowledge(handed.block, 0, 0xffffffff - 1);
    acknowledge_before(*who, handed.block + 1, 0);
    ASSERT_TRUE(who->commit());
  }

  Keeper keeper_{path()};
  std::uint64_t inode_ = 0;
  std::uint32_t generation_ = 0;
  BlockBuilder none_;
};

TEST_F(HandedTest, NumbersAreNeverGivenOutTwice) {
  std::uint64_t highest = 0;
  for (int life = 0; life < 3; ++life) {
    const auto writer = open();
    for (int i = 0; i < 3; ++i) {
      const auto number = writer->hand_out();
      ASSERT_TRUE(number);
      EXPECT_GT(*number, highest);
      highest = *number;
    }
  }
  EXPECT_GT(append(*open(), {{"durable"}}).block, highest);
}

TEST_F(HandedTest, StoredFromTheOldestOnWithThePositionsOfWhatWasNot) {
  const auto writer = open();
  const Handed first = hand(*writer, 10), second = hand(*writer, 20), third = hand(*writer, 30);
  BlockBuilder builder;
  fill(builder, {{"b"}});
  const auto appended = writer->append_handed(builder, std::vector{first, second});
  ASSERT_TRUE(appended) << appended.error().message;
  EXPECT_EQ(appended->block, second.block);
  EXPECT_EQ(contents(), (std::vector<std::string>{"b:undelivered"}));
  EXPECT_EQ(safe_to(), 20U);
  ASSERT_TRUE(writer->append_handed(none_, std::vector{third}));
  EXPECT_EQ(safe_to(), 30U);
}

TEST_F(HandedTest, SnapshotsAndEvictionKnowOnlyWhatIsSafe) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  const auto writer = open(small);
  std::uint64_t end = 0;
  for (int i = 0; i < 200; ++i) {
    const Handed handed = hand(*writer, ++end);
    const Handed ahead = hand(*writer, end + 1000);  // handed out, and not safe
    BlockBuilder builder;
    fill(builder, {{noise(200'000, static_cast<unsigned>(i))}});
    const auto appended = writer->append_handed(builder, std::vector{handed});
    ASSERT_TRUE(appended) << appended.error().message;
    ASSERT_EQ(safe_to(), end) << i;
    Appended evicted;
    ASSERT_TRUE(writer->maintain(evicted));
    ASSERT_EQ(safe_to(), end) << i;
    ASSERT_TRUE(writer->append_handed(none_, std::vector{ahead}));
    ASSERT_EQ(safe_to(), end += 1000) << i;
  }
}

TEST_F(HandedTest, ANoteIsStoredByTheNextWriterAsFarAsItWasAcknowledged) {
  std::vector<Handed> handed;
  {
    const auto writer = open();
    handed = {hand(*writer, 10), hand(*writer, 20), hand(*writer, 30)};
    EXPECT_TRUE(writer->note(handed));
  }
  EXPECT_EQ(safe_to(), 0U) << "nobody has acknowledged anything";
  acknowledge(handed[1]);
  EXPECT_EQ(safe_to(), 20U) << "who reads positions before the next writer has them, too";
  open();
  EXPECT_EQ(safe_to(), 20U) << "the third was passed on and not acknowledged";
  open();
  EXPECT_EQ(safe_to(), 20U);
}

TEST_F(HandedTest, ANoteOfWhatIsSafeIsReadBeforeTheNextWriterStoresIt) {
  {
    const auto writer = open();
    EXPECT_TRUE(writer->note_safe(moved_to(20)));
    EXPECT_EQ(safe_to(), 20U);
  }
  EXPECT_EQ(safe_to(), 20U);
  open();
  EXPECT_EQ(safe_to(), 20U);
}

TEST_F(HandedTest, ANoteWaitsForTheLastWordOfEveryConsumer) {
  std::vector<Handed> handed;
  {
    const auto writer = open();
    handed = {hand(*writer, 10), hand(*writer, 20)};
    EXPECT_TRUE(writer->note(handed));
  }
  acknowledge(handed[1]);
  acknowledge(handed[0], "second");
  open();
  EXPECT_EQ(safe_to(), 10U);
}

TEST_F(HandedTest, ANoteOfNobodyCounts) {
  {
    const auto writer = open();
    EXPECT_TRUE(writer->note(std::vector{hand(*writer, 10)}));
  }
  open();
  EXPECT_EQ(safe_to(), 0U) << "nobody has acknowledged anything";
}

TEST_F(HandedTest, AnOldNoteMovesNothingBack) {
  Handed first;
  {
    const auto writer = open();
    first = hand(*writer, 10);
    EXPECT_TRUE(writer->note(std::vector{first}));
    Handed second = hand(*writer, 20);
    ASSERT_TRUE(writer->append_handed(none_, std::vector{first, second}));
    acknowledge(second);
  }
  for (int i = 0; i < 3; ++i) {
    open();
    EXPECT_EQ(safe_to(), 20U);
  }
}

TEST_F(WriterTest, StockSaysWhatWaitsAndWhatIsHeld) {
  WriterOptions forwarding = options();
  forwarding.forwards_to = "main";
  const auto writer = open(forwarding);
  const auto stock = [&] {
    auto found = writer->stock();
    EXPECT_TRUE(found) << found.error().message;
    return *found;
  };
  EXPECT_EQ(stock().undelivered_records, 0U);
  EXPECT_EQ(stock().oldest_undelivered, 0);
  EXPECT_GT(stock().file_bytes, 0U);
  EXPECT_LE(stock().allowed, forwarding.max_size);
  EXPECT_GT(stock().allowed, forwarding.max_size / 2);
  EXPECT_LE(stock().limit, stock().allowed);
  EXPECT_GT(stock().limit, 0U);

  const base::Timestamp first = clock_.wall();
  append(*writer, {{"a"}, {"b"}});
  clock_.advance(base::kMinute);
  append(*writer, {{"held", true}});
  clock_.advance(base::kMinute);
  append(*writer, {{noise(100'000, 1)}, {"held too", true}});
  Stock now = stock();
  EXPECT_EQ(now.undelivered_records, 3U);
  EXPECT_GT(now.undelivered_bytes, 100'000U);
  EXPECT_EQ(now.oldest_undelivered, first);
  EXPECT_EQ(now.oldest_held, first + base::kMinute);
  EXPECT_GT(now.held_bytes, 0U);
  EXPECT_LT(now.held_bytes, 10'000U);
  EXPECT_GT(now.file_bytes, now.undelivered_bytes);

  // Before its consumer is registered, what was passed on does not wait here.
  writer->keep_from(2);
  EXPECT_EQ(stock().undelivered_records, 1U);
  const auto consumer = this->consumer();
  EXPECT_EQ(stock().undelivered_records, 3U) << "it has acknowledged nothing";
  acknowledge_before(*consumer, 1, 1);
  ASSERT_TRUE(consumer->commit());
  EXPECT_EQ(stock().oldest_undelivered, first) << "a block that is not acknowledged whole counts";
  acknowledge_before(*consumer, 3, 0);
  ASSERT_TRUE(consumer->commit());
  now = stock();
  EXPECT_EQ(now.undelivered_records, 1U);
  EXPECT_EQ(now.oldest_undelivered, first + 2 * base::kMinute);
  const auto slower = this->consumer("other");
  EXPECT_EQ(stock().undelivered_records, 3U) << "the slowest counts";
}

TEST_F(WriterTest, TheLimitIsNotBeyondTheDisk) {
  WriterOptions vast = options();
  vast.path = dir_ / "vast.db";
  vast.max_size = std::uint64_t{1} << 60;
  vast.min_free = 0;
  const auto writer = open(vast);
  append(*writer, {{noise(100'000, 1)}});
  const auto disk = disk_space(dir_ / ".");
  ASSERT_TRUE(disk);
  auto stock = writer->stock();
  auto status = read_status(vast.path, 0, clock_);
  ASSERT_TRUE(stock && status);
  EXPECT_GT(stock->allowed, disk->size);
  EXPECT_LE(stock->limit, disk->size);
  // Others write to that disk as well.
  const double tolerance = 0.2 * static_cast<double>(disk->free) + 1e6;
  EXPECT_NEAR(static_cast<double>(stock->limit), static_cast<double>(disk->free), tolerance);
  EXPECT_NEAR(static_cast<double>(status->room_bytes), static_cast<double>(stock->limit), tolerance) << "one fact";
}

TEST_F(WriterTest, InARingNothingWaits) {
  const auto writer = open();
  append(*writer, {{"a"}, {"b"}});
  auto stock = writer->stock();
  ASSERT_TRUE(stock);
  EXPECT_EQ(stock->undelivered_records, 0U);
}

}  // namespace
}  // namespace weir::spool
