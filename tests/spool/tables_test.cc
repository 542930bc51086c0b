// Rows of each table come back as they were written.
#include "spool/block_checksum.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/losses.h"
#include "spool/tables/meta.h"
#include "spool/tables/positions.h"
#include "spool/tables/rejected.h"
#include "spool/tables/releases.h"
#include "spool/tables/requests.h"
#include "spool/tables/schema.h"

#include <gtest/gtest.h>

namespace weir::spool {
namespace {

class TablesTest : public testing::Test {
 protected:
  TablesTest() {
    auto opened = sqlite::Database::open(":memory:", sqlite::Access::write, 0);
    EXPECT_TRUE(opened);
    database_ = std::move(*opened);
    EXPECT_TRUE(sqlite::migrate(database_, spool_format()));
    EXPECT_TRUE(add_new_tables(database_));
    EXPECT_TRUE(check_schema(database_));
  }
  void store(std::uint64_t id, std::uint32_t records, std::string_view positions = "") {
    const BlockInfo info{.id = id,
                         .min_timestamp = 10,
                         .max_timestamp = 20,
                         .stored = 30,
                         .records = records,
                         .held = 1,
                         .line_bytes = 5,
                         .body_bytes = 4};
    ASSERT_TRUE(insert_block(database_, sealed(info, "streams", positions, records > 0 ? "body" : "")));
  }
  sqlite::Database database_;
};

TEST_F(TablesTest, ABlockComesBackWhole) {
  store(7, 3, "moved");
  BlockRow row;
  ASSERT_TRUE(*read_block(database_, 7, row));
  EXPECT_TRUE(row.sound());
  EXPECT_EQ(row.info.min_timestamp, 10);
  EXPECT_EQ(row.info.max_timestamp, 20);
  EXPECT_EQ(row.info.stored, 30);
  EXPECT_EQ(row.info.records, 3U);
  EXPECT_EQ(row.info.held, 1U);
  EXPECT_EQ(row.info.line_bytes, 5U);
  EXPECT_EQ(row.info.body_bytes, 4U);
  EXPECT_EQ(row.streams + row.positions + row.body, "streamsmovedbody");
  row.positions = "other";
  EXPECT_FALSE(row.sound());
  EXPECT_FALSE(*read_block(database_, 8, row));
}

TEST_F(TablesTest, LossesAddUp) {
  EXPECT_TRUE(read_losses(database_)->empty());
  Losses first;
  first.add_gap("a", 10, 100);
  first.add_gap("b", std::nullopt, 110);
  first.held_shed = 2;
  ASSERT_TRUE(add_losses(database_, first));
  Losses second;
  second.add_gap("a", 5, 200);
  ASSERT_TRUE(add_losses(database_, second));
  const Losses all = *read_losses(database_);
  EXPECT_EQ(all.data.parts, 3U);
  EXPECT_EQ(all.data.bytes, 15U);
  EXPECT_EQ(all.data.parts_unknown, 1U);
  EXPECT_EQ(all.first_gap, 100);
  EXPECT_EQ(all.last_gap, 200);
  EXPECT_EQ(all.held_shed, 2U);
  EXPECT_EQ(all.data.logs.at("a"), 15U);
  EXPECT_EQ(all.data.logs.at("b"), 0U);
  EXPECT_EQ(all.data.logs.size(), 2U);
}

TEST_F(TablesTest, LogsThatLostDataAreBounded) {
  for (int round = 0; round < 2; ++round) {
    Losses losses;
    for (std::size_t i = 0; i < record::LostData::kMostLogs + 50; ++i) losses.add_gap(fmt::format("{:03}-{}", i, round), 1, 1);
    losses.add_gap("000-0", 1, 1);
    losses.add_gap(std::string(5000, 'x'), 1, 1);
    EXPECT_EQ(losses.data.logs.size(), record::LostData::kMostLogs);
    ASSERT_TRUE(add_losses(database_, losses));
  }
  const Losses all = *read_losses(database_);
  EXPECT_EQ(all.data.logs.size(), record::LostData::kMostLogs);
  EXPECT_EQ(all.data.parts, 2 * (record::LostData::kMostLogs + 52));
  EXPECT_EQ(all.data.bytes, all.data.parts) << "counted as well when the name is not known";
  EXPECT_EQ(all.data.logs.at("000-0"), 2U) << "a known one goes on";
}

TEST_F(TablesTest, ADeletedBlockLeavesNothing) {
  store(7, 3);
  ASSERT_TRUE(restore_released(database_, 7, PlaceSet({7, 2}).encode_stretches()));
  ASSERT_TRUE(*has_block(database_, 7) && *has_body(database_, 7));
  ASSERT_TRUE(delete_block(database_, 7));
  EXPECT_FALSE(*has_block(database_, 7) || *has_body(database_, 7));
  EXPECT_EQ(*database_.integer("SELECT count(*) FROM released"), 0);
}

TEST_F(TablesTest, RowsOfPositionsAloneAreNoBlocks) {
  store(3, 0, "delta 3");
  store(5, 2);
  store(6, 4, "delta 6");
  std::string ids, deltas;
  ASSERT_TRUE(for_each_block(database_, {}, [&](const BlockInfo& block) { ids += std::to_string(block.id) + " "; }));
  EXPECT_EQ(ids, "5 6 ");
  ASSERT_TRUE(for_each_delta(database_, 0, [&](const BlockView& block) -> base::Result<void> {
    EXPECT_TRUE(block.sound());
    deltas += block.positions;
    deltas += " ";
    return {};
  }));
  EXPECT_EQ(deltas, "delta 3 delta 6 ");
  EXPECT_EQ(*oldest_block(database_), 5U);
  EXPECT_EQ(*newest_block(database_), 6U);
  EXPECT_EQ(*count_rows_after(database_, 3), 2U);
  EXPECT_EQ(*count_records(database_), 6U);
  ASSERT_TRUE(delete_position_rows(database_, 6));
  EXPECT_FALSE(*has_block(database_, 3));
  EXPECT_TRUE(*has_block(database_, 6));
}

TEST_F(TablesTest, TheHighestNumberIsOfBlocksSnapshotConsumersAndReservation) {
  EXPECT_EQ(*highest_number(database_), 0);
  store(3, 1);
  EXPECT_EQ(*highest_number(database_), 3);
  ASSERT_TRUE(write_snapshot(database_, 5, "x"));
  EXPECT_EQ(*highest_number(database_), 5);
  EXPECT_EQ(*newest_row(database_), 5U);
  ASSERT_TRUE(insert_consumer(database_, {.name = "main", .places = PlaceSet({9, 0})}));
  EXPECT_EQ(*highest_number(database_), 8);
  ASSERT_TRUE(raise_meta(database_, Meta::reserved_block, 11));
  ASSERT_TRUE(raise_meta(database_, Meta::reserved_block, 4));
  EXPECT_EQ(*highest_number(database_), 11);
}

TEST_F(TablesTest, AConsumerComesBackWithItsPlaces) {
  EXPECT_EQ(*lowest_consumer_block(database_), std::nullopt);
  PlaceSet places({4, 2});
  places.add({6, 0}, {7, 3});
  places.wait(99, {2, 1});
  ASSERT_TRUE(insert_consumer(database_, {.name = "main", .match = "{a=\"b\"}", .places = places, .created = 5, .updated = 6}));
  ASSERT_TRUE(insert_consumer(database_, {.name = "audit"}));
  const auto row = read_consumer(database_, "main");
  ASSERT_TRUE(row && *row);
  EXPECT_EQ((*row)->places, places);
  EXPECT_EQ((*row)->match, "{a=\"b\"}");
  EXPECT_EQ((*row)->created, 5);
  EXPECT_EQ((*row)->updated, 6);
  EXPECT_EQ(*consumer_names(database_), (std::vector<std::string>{"audit", "main"}));
  EXPECT_EQ(*lowest_consumer_block(database_), 1U);
  EXPECT_TRUE(*is_consumer(database_, "main"));
  EXPECT_FALSE(*is_consumer(database_, "mai"));

  ASSERT_TRUE(update_consumer(database_, "audit", "{c=\"d\"}", PlaceSet({8, 0}), 70));
  const auto all = read_consumers(database_);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->front().places, PlaceSet({8, 0}));
  EXPECT_EQ(all->front().created, 0);
  EXPECT_EQ(all->front().updated, 70);
  ASSERT_TRUE(delete_consumer(database_, "audit"));
  ASSERT_TRUE(update_consumer(database_, "audit", "", PlaceSet(), 71)) << "a row that was deleted stays so";
  EXPECT_EQ(*read_consumer(database_, "audit"), std::nullopt);
}

TEST_F(TablesTest, DamagedPlacesNameTheConsumer) {
  ASSERT_TRUE(insert_consumer(database_, {.name = "main"}));
  ASSERT_TRUE(database_.execute("UPDATE consumers SET partial = x'ff'"));
  const auto all = read_consumers(database_);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, base::Code::corrupt);
  EXPECT_NE(all.error().message.find("consumer 'main'"), std::string::npos);
}

TEST_F(TablesTest, NumbersByName) {
  EXPECT_EQ(*read_meta(database_, Meta::damaged_blocks), 0);
  EXPECT_NE(*read_meta(database_, Meta::spool), 0);
  ASSERT_TRUE(add_to_meta(database_, Meta::damaged_blocks, 2));
  ASSERT_TRUE(add_to_meta(database_, Meta::damaged_blocks, 3));
  EXPECT_EQ(*read_meta(database_, Meta::damaged_blocks), 5);
  ASSERT_TRUE(set_meta(database_, Meta::damaged_blocks, 1));
  EXPECT_EQ(*read_meta(database_, Meta::damaged_blocks), 1);
  for (int key = 0; key <= static_cast<int>(Meta::positions_checksum); ++key) EXPECT_NE(name_of(static_cast<Meta>(key)), "");
}

TEST_F(TablesTest, StepsOfTheClockGoWithTheirBlocks) {
  ASSERT_TRUE(add_clock_step(database_, {3, 100}));
  ASSERT_TRUE(add_clock_step(database_, {3, 20}));
  ASSERT_TRUE(add_clock_step(database_, {9, -7}));
  const auto steps = read_clock_steps(database_);
  ASSERT_TRUE(steps);
  ASSERT_EQ(steps->size(), 2U);
  EXPECT_EQ((*steps)[0].by, 120);
  EXPECT_EQ((*steps)[1].through, 9U);
  store(5, 1);
  ASSERT_TRUE(delete_clock_steps(database_));
  EXPECT_EQ(read_clock_steps(database_)->size(), 1U);
}

TEST_F(TablesTest, TheSnapshotHasItsChecksum) {
  EXPECT_EQ(*read_through_block(database_), 0U);
  EXPECT_FALSE(read_snapshot(database_)->has_value());
  ASSERT_TRUE(write_snapshot(database_, 4, "old"));
  ASSERT_TRUE(write_snapshot(database_, 9, "new"));
  auto snapshot = read_snapshot(database_);
  ASSERT_TRUE(snapshot && *snapshot);
  EXPECT_EQ((*snapshot)->through_block, 9U);
  EXPECT_EQ((*snapshot)->body, "new");
  EXPECT_TRUE((*snapshot)->sound());
  ASSERT_TRUE(set_meta(database_, Meta::positions_checksum, 1));
  EXPECT_FALSE((**read_snapshot(database_)).sound());
  ASSERT_TRUE(database_.execute("DELETE FROM meta WHERE name = 'positions_checksum'"));
  EXPECT_TRUE((**read_snapshot(database_)).sound()) << "an older release wrote none";
}

TEST_F(TablesTest, ARejectedRecordComesBackAndIsCounted) {
  ASSERT_TRUE(insert_rejected(database_, {.time = 5,
                                          .status = 400,
                                          .consumer = "main",
                                          .tenant = "t",
                                          .reason = "why",
                                          .url = "http://l",
                                          .record = "{}",
                                          .place = {3, 2}}));
  ASSERT_TRUE(insert_rejected(database_, {.time = 6, .status = 0, .record = "{\"b\":1}"}));
  std::string seen;
  ASSERT_TRUE(for_each_rejected(database_, 0, 10, [&](const RejectedRow& row) {
    seen += fmt::format("{} {} {} {} {} {} {} {} {}/{};", row.number, row.time, row.status, row.consumer, row.tenant, row.reason,
                        row.url, row.record, row.place.block, row.place.ordinal);
  }));
  EXPECT_EQ(seen, "1 5 400 main t why http://l {} 3/2;2 6 0     {\"b\":1} 0/0;");
  EXPECT_EQ(*read_meta(database_, Meta::rejected_bytes), 2 + 3 + 8 + 64 + 7 + 64);
  EXPECT_EQ(*count_rejected(database_), 2U);
  EXPECT_EQ(*count_rejected_in_blocks(database_), 0U);
  store(3, 3);
  EXPECT_EQ(*count_rejected_in_blocks(database_), 1U);
  std::vector<std::uint32_t> ordinals;
  ASSERT_TRUE(rejected_ordinals(database_, 3, ordinals));
  EXPECT_EQ(ordinals, (std::vector<std::uint32_t>{2}));
  ASSERT_TRUE(update_rejected(database_, {.number = 1, .time = 9, .status = 422, .record = "{}"}));
  EXPECT_FALSE(*has_late_rejected(database_, 9));
  EXPECT_TRUE(*has_late_rejected(database_, 10));
  EXPECT_EQ(*delete_late_rejected(database_, 7), 1U);
  EXPECT_EQ(**rejected_record(database_, 1), "{}");
  EXPECT_EQ(*delete_oldest_rejected(database_, 5), 1U);
  EXPECT_EQ(*rejected_record(database_, 1), std::nullopt);
  EXPECT_EQ(*read_meta(database_, Meta::rejected_bytes), 0);
}

TEST_F(TablesTest, ARangeKeepsItsReasonAndGetsTheOrdinals) {
  RangeRow range{.block = 3,
                 .time = 5,
                 .status = 400,
                 .consumer = "main",
                 .tenant = "t",
                 .kind = "too_old",
                 .reason = "first",
                 .url = "u",
                 .ordinals = {}};
  range.ordinals.add(2, 5);
  ASSERT_TRUE(store_range(database_, range));
  range.reason = "second";
  range.ordinals.add(9);
  ASSERT_TRUE(store_range(database_, range));
  const auto found = find_range(database_, range);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->reason, "first");
  EXPECT_EQ((*found)->ordinals, range.ordinals);
  EXPECT_TRUE(next_ranges(database_, 0)->empty()) << "its block is not there";
  store(3, 10);
  EXPECT_EQ(next_ranges(database_, 0)->size(), 1U);
  EXPECT_EQ(*count_records_in_ranges(database_), 4U);
  EXPECT_TRUE(ordinals_in_ranges(database_, 3)->contains(4));
  EXPECT_TRUE(*has_ranges_before(database_, 4));
  EXPECT_FALSE(*has_ranges_before(database_, 3));
  EXPECT_EQ(*delete_ranges_of(database_, 3), 4U);
  EXPECT_TRUE(ranges_of(database_, 3)->empty());
}

TEST_F(TablesTest, RequestsAreServedInTheirOrder) {
  EXPECT_FALSE(oldest_request(database_)->has_value());
  ASSERT_TRUE(request_set_aside(database_, 1, 42));
  ASSERT_TRUE(request_set_aside(database_, 2, 42)) << "asked for already";
  const auto compact = request_compaction(database_, 3);
  ASSERT_TRUE(compact);
  EXPECT_TRUE(*has_request(database_, *compact));
  const auto first = oldest_request(database_);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->kind, RequestRow::Kind::damaged);
  EXPECT_EQ((*first)->block, 42U);
  ASSERT_TRUE(delete_request(database_, (*first)->id));
  EXPECT_EQ((**oldest_request(database_)).kind, RequestRow::Kind::compact);
  ASSERT_TRUE(delete_request(database_, *compact));
  EXPECT_FALSE(*has_request(database_, *compact));
}

OrdinalSet some(std::uint32_t from, std::uint32_t to) {
  OrdinalSet set;
  set.add(from, to);
  return set;
}

TEST_F(TablesTest, AReleaseComesBackWhole) {
  EXPECT_TRUE(*has_releases(database_));
  const ReleaseRow row{.id = "r",
                       .created = 5,
                       .query = "{a=\"b\"}",
                       .from = -7,
                       .to = 9,
                       .state = ReleaseState::open,
                       .matched = 1,
                       .released = 2,
                       .left_out = 3};
  ASSERT_TRUE(put_release(database_, row));
  ASSERT_TRUE(add_release_request(database_, {"r", 4, 6, some(1, 7)}));
  ASSERT_TRUE(add_release_request(database_, {"r", 5, 2, some(0, 2)}));
  const auto read = read_release(database_, "r");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->created, 5);
  EXPECT_EQ((*read)->query, row.query);
  EXPECT_EQ((*read)->from, -7);
  EXPECT_EQ((*read)->to, 9);
  EXPECT_EQ((*read)->state, ReleaseState::open);
  EXPECT_EQ((*read)->matched, 1U);
  EXPECT_EQ((*read)->released, 2U);
  EXPECT_EQ((*read)->left_out, 3U);
  EXPECT_EQ((*read)->pending, 8U);
  EXPECT_FALSE(read_release(database_, "other")->has_value());
  ASSERT_TRUE(count_released(database_, "r", 10, 20));
  EXPECT_EQ((**read_release(database_, "r")).released, 12U);
  EXPECT_EQ((**read_release(database_, "r")).left_out, 23U);
}

TEST_F(TablesTest, RequestsOfReleasesComeInTheirOrder) {
  ASSERT_TRUE(put_release(database_, {.id = "late", .created = 2, .query = "", .state = ReleaseState::open}));
  ASSERT_TRUE(put_release(database_, {.id = "early", .created = 1, .query = "", .state = ReleaseState::open}));
  ASSERT_TRUE(put_release(database_, {.id = "first", .created = 0, .query = "", .state = ReleaseState::selecting}));
  ASSERT_TRUE(add_release_request(database_, {"first", 1, 1, some(0, 1)}));
  ASSERT_TRUE(add_release_request(database_, {"late", 2, 1, some(0, 1)}));
  ASSERT_TRUE(add_release_request(database_, {"early", 9, 1, some(0, 1)}));
  ASSERT_TRUE(add_release_request(database_, {"early", 3, 4, some(2, 6)}));
  EXPECT_EQ(*blocks_to_release(database_), (std::vector<std::uint64_t>{1, 2, 3, 9}));
  std::string order;
  while (true) {
    const auto next = next_release_request(database_);
    ASSERT_TRUE(next);
    if (!*next) break;
    order += fmt::format("{} {} {}; ", (*next)->release, (*next)->block, (*next)->ordinals.count());
    ASSERT_TRUE(delete_release_request(database_, (*next)->release, (*next)->block));
  }
  EXPECT_EQ(order, "early 3 4; early 9 1; late 2 1; ");
  EXPECT_EQ(*blocks_to_release(database_), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(*delete_release_requests(database_, "first"), 1U);
  EXPECT_TRUE(blocks_to_release(database_)->empty());
}

TEST_F(TablesTest, OldReleasesGoWhenNothingOfThemIsLeft) {
  for (const char* id : {"pending", "stored", "done", "young"}) {
    const base::Timestamp created = std::string_view(id) == "young" ? 100 : 1;
    ASSERT_TRUE(put_release(database_, {.id = id, .created = created, .query = "", .state = ReleaseState::open}));
  }
  ASSERT_TRUE(add_release_request(database_, {"pending", 1, 1, some(0, 1)}));
  ASSERT_TRUE(add_release_block(database_, {.block = 5, .release = "stored", .records = 10}));
  ASSERT_TRUE(add_release_block(database_, {.block = 6, .release = "done", .records = 10}));
  EXPECT_TRUE(*is_release_block(database_, 5));
  EXPECT_FALSE(*is_release_block(database_, 7));
  ASSERT_TRUE(release_block_goes(database_, 6, 4, true));
  ASSERT_TRUE(release_block_goes(database_, 7, 4, true));
  const auto blocks = read_release_blocks(database_);
  ASSERT_TRUE(blocks);
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_FALSE((*blocks)[0].gone);
  EXPECT_TRUE((*blocks)[1].gone);
  EXPECT_EQ((*blocks)[1].refused, 4U);
  EXPECT_EQ((*blocks)[1].lost, 6U);
  ASSERT_TRUE(delete_old_releases(database_, 50));
  std::string left;
  const auto all = read_releases(database_);
  ASSERT_TRUE(all);
  for (const ReleaseRow& one : *all) left += one.id + " ";
  EXPECT_EQ(left, "pending stored young ");
  EXPECT_EQ(read_release_blocks(database_)->size(), 1U);
}

TEST_F(TablesTest, ReleasedPlacesAreCounted) {
  // From the first place on, too, which no stretch behind {7, 0} can say.
  OrdinalSet places = some(0, 3);
  places.add(5, 9);
  ASSERT_TRUE(put_released(database_, 7, places));
  EXPECT_EQ(*count_released_records(database_), (std::map<std::uint64_t, std::uint64_t>{{7, 7}}));
  auto read = read_released(database_, 7);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->contains({7, 0}) && read->contains({7, 8}));
  EXPECT_FALSE(read->contains({7, 3}) || read->contains({7, 9}));
  EXPECT_EQ(read->ordinals_of(7), places);
  places.add(3, 5);
  ASSERT_TRUE(put_released(database_, 7, places));
  EXPECT_EQ(*count_released_records(database_), (std::map<std::uint64_t, std::uint64_t>{{7, 9}}));
  EXPECT_TRUE(read_released(database_, 8)->ordinals_of(8).empty());
}

}  // namespace
}  // namespace weir::spool
