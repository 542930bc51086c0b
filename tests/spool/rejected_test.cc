// The rejected store: whole records within their limit, and ranges of records that stay in their blocks.
#include "spool/inspection.h"
#include "spool/ordinal_set.h"
#include "spool/position_store.h"
#include "spool/rejected_store.h"
#include "spool_fixture.h"
#include "sqlite/database.h"

#include <fmt/format.h>

namespace weir::spool {
namespace {

using Lines = std::vector<std::string>;

TEST(OrdinalSet, KeepsStretches) {
  OrdinalSet set;
  for (const std::uint32_t ordinal : {5U, 6U, 8U, 7U, 1U, 1U}) set.add(ordinal);
  EXPECT_EQ(set.stretches(), (std::vector<OrdinalSet::Stretch>{{1, 2}, {5, 9}}));
  EXPECT_EQ(set.count(), 5U);
  for (const std::uint32_t ordinal : {0U, 2U, 4U, 9U}) EXPECT_FALSE(set.contains(ordinal)) << ordinal;
  for (const std::uint32_t ordinal : {1U, 5U, 8U}) EXPECT_TRUE(set.contains(ordinal)) << ordinal;
  const auto again = OrdinalSet::decode(set.encode());
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, set);
  EXPECT_FALSE(OrdinalSet::decode("\xff"));

  const auto without = [&set](std::uint32_t ordinal) {
    OrdinalSet rest = set;
    rest.remove(ordinal);
    return rest.stretches();
  };
  using Stretches = std::vector<OrdinalSet::Stretch>;
  EXPECT_EQ(without(1), (Stretches{{5, 9}}));
  EXPECT_EQ(without(5), (Stretches{{1, 2}, {6, 9}}));
  EXPECT_EQ(without(6), (Stretches{{1, 2}, {5, 6}, {7, 9}}));
  EXPECT_EQ(without(8), (Stretches{{1, 2}, {5, 8}}));
  EXPECT_EQ(without(3), set.stretches());

  const auto without_all = [&set](const std::vector<OrdinalSet::Stretch>& gone) {
    OrdinalSet other, rest = set;
    for (const auto& one : gone) other.add(one.from, one.to);
    rest.remove_all(other);
    return rest.stretches();
  };
  EXPECT_EQ(without_all({}), set.stretches());
  EXPECT_EQ(without_all({{0, 1}, {2, 5}, {9, 20}}), set.stretches());
  EXPECT_EQ(without_all({{0, 6}, {8, 20}}), (Stretches{{6, 8}}));
  EXPECT_EQ(without_all({{5, 6}, {7, 8}}), (Stretches{{1, 2}, {6, 7}, {8, 9}}));
  EXPECT_EQ(without_all({{0, 20}}), Stretches());
}

class RejectedStoreTest : public SpoolTest {
 protected:
  static Rejection old(std::string_view tenant = "") {
    return {.status = 400, .reason = "too old", .url = "http://loki", .tenant = tenant, .record = {}};
  }
  static Rejection whole(const std::string& record) {
    return {.status = 400, .reason = "bad", .url = {}, .tenant = {}, .record = record};
  }
  void execute(const char* sql) {
    auto database = sqlite::Database::open(path(), sqlite::Access::write, 0);
    ASSERT_TRUE(database);
    auto done = database->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::uint64_t file_bytes() { return read_status(path())->file_bytes + read_status(path())->log_bytes; }
};

TEST_F(RejectedStoreTest, ARangeIsOneRowOfItsBlockAndTheRecordsStay) {
  const auto writer = open();
  append(*writer, {{"a"}, {"b"}, {"c"}, {"d"}});
  append(*writer, {{"e"}, {"newest"}});
  {
    const auto main = consumer();
    main->reject_in_place(1, 0, "old", old());
    main->reject_in_place(1, 1, "old", old());
    main->acknowledge(1, 2, 2);
    main->reject_in_place(2, 0, "old", old());
    ASSERT_TRUE(main->commit());
    main->reject_in_place(1, 3, "old", old());
    ASSERT_TRUE(main->commit());
    EXPECT_EQ(main->acknowledged().before(), (BlockPlace{1, 4}));
  }
  EXPECT_EQ(contents(), (Lines{"a:rejected", "b:rejected", "c:delivered", "d:rejected", "e:rejected", "newest:undelivered"}));
  const auto status = read_status(path());
  EXPECT_EQ(status->rejected, 4U);
  EXPECT_EQ(status->delivered, 1U);
  EXPECT_EQ(status->undelivered, 1U);
  const auto from = reader();
  const auto ranges = from->rejected_ranges(0);
  ASSERT_TRUE(ranges);
  ASSERT_EQ(ranges->size(), 1U);
  EXPECT_EQ(ranges->front().block, 1U);
  EXPECT_EQ(ranges->front().reason, "too old");
  EXPECT_EQ(ranges->front().ordinals.stretches(), (std::vector<OrdinalSet::Stretch>{{0, 2}, {3, 4}}));
  EXPECT_EQ(from->rejected_ranges(1)->front().block, 2U);
  EXPECT_TRUE(from->rejected_ranges(2)->empty());
}

TEST_F(RejectedStoreTest, ARangeGoesWithItsBlockAndIsCounted) {
  const auto writer = open();
  append(*writer, {{"a"}, {"b"}});
  append(*writer, {{"newest"}});
  {
    const auto main = consumer();
    main->reject_in_place(1, 0, "old", old());
    main->reject_in_place(1, 1, "old", old());
    acknowledge_before(*main, 2, 0);
    ASSERT_TRUE(main->commit());
  }
  clock_.advance(25 * base::kHour);
  Appended evicted;
  ASSERT_TRUE(writer->maintain(evicted));
  EXPECT_EQ(contents(), Lines{"newest:undelivered"});
  EXPECT_EQ(read_status(path())->rejected, 0U);
  EXPECT_EQ(read_status(path())->evicted_rejected, 2U);
}

TEST_F(RejectedStoreTest, WhatIsDeliveredLeavesItsRange) {
  const auto writer = open();
  append(*writer, {{"a"}, {"b"}, {"c"}});
  {
    const auto main = consumer();
    for (std::uint32_t i = 0; i < 3; ++i) main->reject_in_place(1, i, "old", old());
    ASSERT_TRUE(main->commit());
  }
  const auto again = RejectedRedelivery::open(path(), writer->spool(), 0, clock_, nullptr);
  ASSERT_TRUE(again) << again.error().message;
  (*again)->delivered(number_of_place({1, 1}));
  (*again)->rejected(number_of_place({1, 2}), old(), "{}");
  ASSERT_TRUE((*again)->commit());
  EXPECT_EQ(contents(), (Lines{"a:rejected", "b:delivered", "c:rejected"}));
  (*again)->delivered(number_of_place({1, 0}));
  (*again)->delivered(number_of_place({1, 2}));
  ASSERT_TRUE((*again)->commit());
  EXPECT_EQ(read_status(path())->rejected, 0U);
  EXPECT_EQ(place_of_number(number_of_place({7, 9})), (BlockPlace{7, 9}));
  EXPECT_FALSE(place_of_number(12345));
}

// What is delivered is noted at once; a rejection that is not committed comes again, and nothing is forgotten.
TEST_F(RejectedStoreTest, AKillBetweenRejectionAndCommitForgetsNeither) {
  const auto writer = open();
  append(*writer, {{"a"}, {"b"}, {"c"}});
  {
    const auto main = consumer();
    main->acknowledge(1, 0, 0);
    main->reject_in_place(1, 1, "old", old());
    main->acknowledge(1, 2, 2);
    EXPECT_FALSE(main->note());
    main->note_delivered();
  }
  const auto main = consumer();
  EXPECT_TRUE(main->acknowledged().contains({1, 0}));
  EXPECT_FALSE(main->acknowledged().contains({1, 1}));
  EXPECT_TRUE(main->acknowledged().contains({1, 2}));
  main->reject_in_place(1, 1, "old", old());
  ASSERT_TRUE(main->commit());
  EXPECT_EQ(contents(), (Lines{"a:delivered", "b:rejected", "c:delivered"}));
}

TEST_F(RejectedStoreTest, WholeRecordsStayWithinTheirLimitTheOldestGo) {
  WriterOptions small = options();
  small.max_size = 8 << 20;
  const auto writer = open(small);
  append(*writer, {{"a"}, {"b"}});
  const auto main = consumer();
  std::uint64_t evicted = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 100; ++i)
      main->reject(1, 0, whole(fmt::format("{{\"line\":\"{:08} {}\"}}", round * 100 + i, std::string(1000, 'x'))));
    ASSERT_TRUE(main->commit());
    evicted += main->take_evicted_rejected();
    EXPECT_LE(read_status(path())->rejected_bytes, small.max_size / 10);
  }
  const auto status = read_status(path());
  EXPECT_EQ(status->rejected + evicted, 3000U);
  EXPECT_GT(status->rejected, 500U);
  EXPECT_EQ(status->evicted_rejected, evicted);
  std::string newest;
  static_cast<void>(reader()->rejected(0, 10'000, [&](const Reader::RejectedEntry& entry) { newest = entry.record; }));
  EXPECT_NE(newest.find("00002999"), std::string::npos);
  // The log, too, stays within its bound: the writer looks at what others have written.
  Appended tended;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(writer->maintain(tended));
  EXPECT_LE(file_bytes(), small.max_size);
}

// What nobody will take makes room before what waits for its delivery.
TEST_F(RejectedStoreTest, RejectedRecordsGoBeforeUndeliveredOnes) {
  WriterOptions small = options();
  small.max_size = 8 << 20;
  small.rejected_max = 4 << 20;
  small.on_full = OnFull::drop_oldest;
  const auto writer = open(small);
  append(*writer, {{"first"}});
  {
    const auto main = consumer();
    for (unsigned i = 0; i < 4000; ++i) main->reject(1, 0, whole(fmt::format("{{\"line\":\"{}\"}}", std::string(1000, 'x'))));
    ASSERT_TRUE(main->commit());
  }
  std::uint64_t rejected = 0;
  for (unsigned i = 0; i < 12; ++i) {
    const Appended appended = append(*writer, {{noise(400'000, i)}});
    EXPECT_EQ(appended.evicted_undelivered, 0U) << i;
    rejected += appended.evicted_rejected;
  }
  EXPECT_GT(rejected, 0U);
}

TEST_F(RejectedStoreTest, AFileOfThePositionsKeepsFewOfThem) {
  const auto store = PositionStore::open(path(), 0, clock_);
  ASSERT_TRUE(store);
  auto keeper = (*store)->load();
  ASSERT_TRUE(keeper);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 1000; ++i) (*store)->reject(whole(fmt::format("{{\"line\":\"{}\"}}", std::string(1000, 'x'))));
    ASSERT_TRUE((*store)->commit(*keeper));
  }
  EXPECT_GT((*store)->take_evicted_rejected(), 0U);
  EXPECT_LE(read_status(path())->rejected_bytes, std::uint64_t{8 << 20});
}

// A file as releases before this one made it: it is added to, counted, and read as it is where nobody may write.
TEST_F(RejectedStoreTest, AnOlderFileIsAddedTo) {
  {
    const auto writer = open();
    append(*writer, {{"a"}, {"b"}});
    const auto main = consumer();
    main->reject(1, 0, whole("{}"));
    ASSERT_TRUE(main->commit());
  }
  execute(
      "DROP TABLE rejected_ranges; DROP TRIGGER rejected_added; DROP TRIGGER rejected_changed; DROP TRIGGER rejected_gone; "
      "DELETE FROM meta WHERE name LIKE 'rejected_%'");
  EXPECT_EQ(contents(), (Lines{"a:rejected", "b:undelivered"}));
  EXPECT_TRUE(reader()->rejected_ranges(0)->empty());
  EXPECT_EQ(read_status(path())->rejected, 1U);
  {
    const auto main = consumer();
    main->reject_in_place(1, 1, "old", old());
    ASSERT_TRUE(main->commit());
  }
  const auto writer = open();
  EXPECT_EQ(contents(), (Lines{"a:rejected", "b:rejected"}));
  EXPECT_EQ(read_status(path())->rejected_bytes, 2U + 3U + 64U);
  EXPECT_EQ(read_status(path())->format, 1);
}

}  // namespace
}  // namespace weir::spool
