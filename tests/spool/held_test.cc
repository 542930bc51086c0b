// Held records: blocks of their own, what makes them go, and what a kill leaves of those that were stored ahead of their group.
#include "spool/copy.h"
#include "spool/inspection.h"
#include "spool/spool_fixture.h"
#include "sqlite/database.h"

namespace weir::spool {
namespace {

using Lines = std::vector<std::string>;

class HeldTest : public SpoolTest {
 protected:
  Appended store(Writer& writer, const std::vector<Line>& lines, const std::vector<Line>& held, Keeper* keeper = nullptr) {
    BlockBuilder builder, held_builder;
    fill(builder, lines);
    fill_held(held_builder, held);
    auto appended = writer.append_with_held(builder, held_builder, keeper);
    EXPECT_TRUE(appended) << appended.error().message;
    return appended ? *appended : Appended{};
  }
  void fill_held(BlockBuilder& builder, std::vector<Line> lines) {
    for (Line& line : lines) line.held = true;
    fill(builder, lines);
  }

  // A log that has been read to `end`.
  void read_to(Keeper& keeper, std::uint64_t end) {
    if (!introduced_) {
      record::Marker marker;
      marker.type = record::Marker::Type::generation;
      marker.log_key = marker.file.path = "/a.log";
      marker.file.inode = 3;
      record::Record record;
      record.marker = &marker;
      record.source = record::Source::in_file(1, 1, 0, 0);
      EXPECT_TRUE(keeper.track(record));
      introduced_ = true;
    }
    keeper.advance(record::Source::in_file(1, 1, 0, end));
  }
  std::uint64_t safe_to() {
    const auto positions = read_positions(path(), 0);
    EXPECT_TRUE(positions) << positions.error().message;
    return positions->empty() ? 0 : positions->at("/a.log").resume.offset;
  }
  // The delta alone, as a stream that is passed on first hands it on.
  std::string moved_to(std::uint64_t end) {
    read_to(keeper_, end);
    const std::string delta = keeper_.delta();
    keeper_.committed();
    return delta;
  }
  // Stores held records ahead of a group, which is returned.
  Handed store_ahead(Writer& writer, const std::string& line, std::uint64_t end) {
    BlockBuilder held;
    fill_held(held, {{line}});
    const std::uint64_t block = *writer.hand_out(), group = *writer.hand_out();
    const auto appended = writer.append_held(held, block, group);
    EXPECT_TRUE(appended) << appended.error().message;
    EXPECT_EQ(appended->held_block, block);
    return {group, moved_to(end)};
  }
  void acknowledge(const Handed& handed) {
    const auto who = consumer();
    acknowledge_before(*who, handed.block + 1, 0);
    EXPECT_TRUE(who->commit());
  }

  // Somebody waits for all that is stored from now on.
  std::unique_ptr<Consumer> consumer_of_new_spool() {
    open();
    return consumer();
  }

  Keeper keeper_{path()};
  bool introduced_ = false;
};

TEST_F(HeldTest, ABlockOfTheirOwnInFrontOfTheOther) {
  const auto writer = open();
  const auto appended = store(*writer, {{"a"}, {"b"}}, {{"h"}});
  EXPECT_EQ(appended.held_block, 1U);
  EXPECT_EQ(appended.block, 2U);
  const auto blocks = reader()->list({});
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ((*blocks)[0].held, 1U);
  EXPECT_EQ((*blocks)[0].records, 1U);
  EXPECT_EQ((*blocks)[1].held, 0U);
  EXPECT_EQ(contents(), (Lines{"h:held", "a:undelivered", "b:undelivered"}));
  EXPECT_EQ(reader()->list({.deliverable = true})->size(), 1U);
}

TEST_F(HeldTest, PositionsAreStoredWithTheOthersOrWithHeldOnesAlone) {
  Keeper keeper(path());
  const auto writer = open();
  read_to(keeper, 10);
  store(*writer, {{"a"}}, {{"h"}}, &keeper);
  EXPECT_EQ(safe_to(), 10U);
  EXPECT_FALSE(keeper.moved());
  read_to(keeper, 20);
  const auto appended = store(*writer, {}, {{"i"}}, &keeper);
  EXPECT_EQ(appended.held_block, 3U);
  EXPECT_EQ(safe_to(), 20U);
  EXPECT_EQ(contents(), (Lines{"h:held", "a:undelivered", "i:held"}));
  read_to(keeper, 30);
  EXPECT_EQ(store(*writer, {{"b"}}, {}, &keeper).block, 4U);
  EXPECT_EQ(safe_to(), 30U);
}

TEST_F(HeldTest, SnapshotsAndEvictionKeepPositions) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.retain = small.hold = 0;
  Keeper keeper(path());
  const auto writer = open(small);
  std::uint64_t end = 0;
  for (int i = 0; i < 150; ++i) {
    read_to(keeper, ++end);
    if (i % 3 == 0) {
      store(*writer, {}, {{noise(50'000, static_cast<unsigned>(i))}}, &keeper);
    } else {
      store(*writer, {{noise(50'000, static_cast<unsigned>(i))}}, {{noise(20'000, static_cast<unsigned>(i) + 1000)}}, &keeper);
    }
    ASSERT_EQ(safe_to(), end) << i;
    Appended evicted;
    ASSERT_TRUE(writer->maintain(evicted));
    ASSERT_EQ(safe_to(), end) << i;
  }
}

TEST_F(HeldTest, NobodyWaitsForThem) {
  const auto main = consumer_of_new_spool();
  const auto writer = open();
  store(*writer, {}, {{"h"}});
  clock_.advance(2 * base::kHour);
  store(*writer, {{"a"}}, {});
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(evicted.evicted_held, 1U);
  EXPECT_EQ(contents(), (Lines{"a:undelivered"})) << "it is old, and behind all that the consumer has acknowledged";
}

TEST_F(HeldTest, InAnOutageTheyGoAndTheOthersAreStored) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.hold_max = 4 << 20;
  const auto main = consumer_of_new_spool();
  const auto writer = open(small);
  unsigned seed = 0;
  std::uint64_t stored = 0, shed = 0, refused = 0;
  Keeper keeper(path());
  for (std::uint64_t end = 1; end <= 100; ++end) {
    BlockBuilder builder, held;
    fill(builder, {{noise(100'000, ++seed)}});
    fill_held(held, {{noise(100'000, ++seed)}});
    read_to(keeper, end);
    const auto appended = writer->append_with_held(builder, held, &keeper);
    if (!appended) {
      EXPECT_EQ(appended.error().code, base::Code::full);
      EXPECT_EQ(safe_to(), stored) << "nothing of it is stored";
      ++refused;
      continue;
    }
    ASSERT_NE(appended->block, 0U);
    EXPECT_EQ(appended->evicted_undelivered, 0U);
    stored = end;
    shed += appended->shed_held;
    EXPECT_EQ(appended->held_block == 0, appended->shed_held == 1);
    ASSERT_EQ(safe_to(), end);
  }
  const auto status = read_status(path());
  EXPECT_EQ(status->undelivered, stored);
  EXPECT_GE(stored, 26U) << "as many as fit without any held record";
  EXPECT_EQ(stored + refused, 100U);
  EXPECT_GT(shed, 0U);
  EXPECT_LE(status->held, 2U);
}

TEST_F(HeldTest, AloneTheyNeverStopPositions) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  const auto main = consumer_of_new_spool();
  const auto writer = open(small);
  unsigned seed = 0;
  BlockBuilder full;
  fill(full, {{noise(100'000, ++seed)}});
  while (writer->append(full, nullptr)) {
    full.take(full.take());
    fill(full, {{noise(100'000, ++seed)}});
  }
  Keeper keeper(path());
  read_to(keeper, 10);
  const auto appended = store(*writer, {}, {{noise(400'000, ++seed)}}, &keeper);
  EXPECT_EQ(appended.shed_held, 1U);
  EXPECT_EQ(safe_to(), 10U);
  EXPECT_EQ(read_status(path())->held, 0U);
}

TEST_F(HeldTest, DropOldestDropsNothingForThem) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.on_full = OnFull::drop_oldest;
  const auto main = consumer_of_new_spool();
  const auto writer = open(small);
  unsigned seed = 0;
  while (append(*writer, {{noise(100'000, ++seed)}}).evicted_undelivered == 0) continue;
  const std::uint64_t undelivered = read_status(path())->undelivered;
  const auto appended = store(*writer, {}, {{noise(400'000, ++seed)}});
  EXPECT_EQ(appended.shed_held, 1U);
  EXPECT_EQ(appended.evicted_undelivered, 0U);
  EXPECT_EQ(read_status(path())->undelivered, undelivered);
}

TEST_F(HeldTest, AQuarterOfTheSpoolUnlessToldOtherwise) {
  WriterOptions small = options();
  small.max_size = 8 << 20;
  const auto writer = open(small);
  for (unsigned i = 0; i < 60; ++i) store(*writer, {{"a"}}, {{noise(100'000, i)}});
  const auto status = read_status(path());
  EXPECT_LE(status->held_bytes, 2U << 20);
  EXPECT_GE(status->held_bytes, (2U << 20) - 250'000);
  EXPECT_EQ(status->oldest_held, clock_.wall());
}

TEST_F(HeldTest, StoredAheadTheyStayWhenTheirGroupIsSafe) {
  {
    const auto writer = open();
    const Handed group = store_ahead(*writer, "h", 10);
    EXPECT_TRUE(writer->note(std::vector{group}));
    acknowledge(group);
  }
  EXPECT_EQ(safe_to(), 10U);
  for (int i = 0; i < 2; ++i) {
    open();
    EXPECT_EQ(contents(), (Lines{"h:held"}));
    EXPECT_EQ(safe_to(), 10U);
  }
}

TEST_F(HeldTest, StoredAheadTheyStayOnceTheirPositionsAreStored) {
  {
    const auto writer = open();
    const Handed first = store_ahead(*writer, "h", 10), second = store_ahead(*writer, "i", 20);
    BlockBuilder none;
    ASSERT_TRUE(writer->append_handed(none, std::vector{first}));
    EXPECT_TRUE(writer->note(std::vector{second}));
  }
  open();
  EXPECT_EQ(contents(), (Lines{"h:held"})) << "the second group is read again";
  EXPECT_EQ(safe_to(), 10U);
}

TEST_F(HeldTest, StoredAheadTheyGoWhenTheirGroupIsReadAgain) {
  {
    const auto writer = open();
    const Handed group = store_ahead(*writer, "h", 10);
    EXPECT_TRUE(writer->note(std::vector{group}));
  }
  EXPECT_EQ(contents(), (Lines{"h:held"}));
  {
    const auto writer = open();
    EXPECT_EQ(contents(), Lines{});
    EXPECT_TRUE(writer->take_report().sentences.empty());
  }
  const auto writer = open();
  EXPECT_TRUE(writer->take_report().sentences.empty()) << "nobody takes the file for one without its log";
  EXPECT_TRUE(check_spool(path())->problems.empty());
  EXPECT_GT(store(*writer, {}, {{"h"}}).held_block, 1U);
  EXPECT_EQ(contents(), (Lines{"h:held"}));
}

TEST_F(HeldTest, StoredAheadWithoutPositionsTheyStay) {
  {
    const auto writer = open();
    BlockBuilder held;
    fill_held(held, {{"h"}});
    ASSERT_TRUE(writer->append_held(held, *writer->hand_out(), 0));
  }
  open();
  EXPECT_EQ(contents(), (Lines{"h:held"}));
}

// Groups are stored from the oldest on, also when held records of later ones are in the file.
TEST_F(HeldTest, StoredAheadTheyLieAmongGroupsThatAreStoredLater) {
  {
    const auto writer = open();
    const Handed first = store_ahead(*writer, "h", 10), second = store_ahead(*writer, "i", 20);
    for (const auto& [group, line] : {std::pair(first, "a"), std::pair(second, "b")}) {
      BlockBuilder builder;
      fill(builder, {{line}});
      ASSERT_TRUE(writer->append_handed(builder, std::vector{group}));
    }
    EXPECT_EQ(safe_to(), 20U);
    EXPECT_EQ(contents(), (Lines{"h:held", "a:undelivered", "i:held", "b:undelivered"}));
    Appended evicted;
    ASSERT_TRUE(writer->maintain(evicted));
  }
  open();
  EXPECT_EQ(contents(), (Lines{"h:held", "a:undelivered", "i:held", "b:undelivered"}));
}

TEST_F(HeldTest, EvictingWhatWasStoredAheadKeepsPositions) {
  WriterOptions brief = options();
  brief.hold = brief.retain = 0;
  const auto writer = open(brief);
  std::vector<Handed> groups;
  BlockBuilder none;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    groups.push_back(store_ahead(*writer, "h", i * 10));
    if (i % 2 == 0) continue;
    ASSERT_TRUE(writer->append_handed(none, std::vector{groups.back()}));
    Appended evicted;
    ASSERT_TRUE(writer->maintain(evicted));
    ASSERT_EQ(safe_to(), i * 10);
  }
}

// A release that does not know them has stored later positions, so nobody can tell what was safe: nothing is lost.
TEST_F(HeldTest, AfterAnOlderReleaseTheyStay) {
  {
    const auto writer = open();
    const Handed group = store_ahead(*writer, "h", 10);
    EXPECT_TRUE(writer->note(std::vector{group}));
  }
  std::string tie = "INSERT INTO held_groups SELECT max(id), max(id) + 1 FROM blocks WHERE held > 0";
  {
    // What the older release does: it opens the file, and takes more.
    Keeper keeper(path());
    introduced_ = false;
    {
      auto database = std::move(*sqlite::Database::open(path(), sqlite::Access::write, 0));
      ASSERT_TRUE(database.execute("DELETE FROM held_groups"));
    }
    const auto writer = open();
    read_to(keeper, 30);
    store(*writer, {{"a"}}, {}, &keeper);
  }
  {
    auto database = std::move(*sqlite::Database::open(path(), sqlite::Access::write, 0));
    ASSERT_TRUE(database.execute(tie.c_str()));
  }
  open();
  EXPECT_EQ(contents(), (Lines{"h:held", "a:undelivered"}));
}

TEST_F(HeldTest, ASpoolOfAnOlderReleaseIsReadCopiedAndWritten) {
  append(*open(), {{"a"}, {"h", true}});
  {
    auto database = std::move(*sqlite::Database::open(path(), sqlite::Access::write, 0));
    ASSERT_TRUE(database.execute("DROP TABLE held_groups"));
  }
  EXPECT_EQ(contents(), (Lines{"a:undelivered", "h:held"}));
  EXPECT_TRUE(read_status(path()));
  const auto copied = copy_spool(path(), dir_ / "copy.db", 0, clock_, nullptr, {});
  EXPECT_TRUE(copied) << copied.error().message;
  store(*open(), {{"b"}}, {{"i"}});
  EXPECT_EQ(contents(), (Lines{"a:undelivered", "h:held", "i:held", "b:undelivered"}));
}

}  // namespace
}  // namespace weir::spool
