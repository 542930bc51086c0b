#include "spool/block_numbers.h"
#include "spool/log_room.h"

#include <gtest/gtest.h>

namespace weir::spool {
namespace {

TEST(BlockNumbers, GoOnFromWhatTheFileSays) {
  BlockNumbers numbers;
  numbers.load(8, 5, 2, 7);
  EXPECT_EQ(numbers.next(), 8U);
  EXPECT_EQ(numbers.newest_row(), 7U);
  EXPECT_EQ(numbers.stored_through(), 7U);
  numbers.load(8, 7, 0, 0);  // all rows went; the snapshot stays
  EXPECT_EQ(numbers.newest_row(), 7U);
  numbers.skip(3);
  EXPECT_EQ(numbers.next(), 8U);
  numbers.skip(20);
  EXPECT_EQ(numbers.next(), 21U);
}

TEST(BlockNumbers, AreReservedBeforeTheyAreHandedOut) {
  BlockNumbers numbers;
  numbers.load(10, 0, 0, 9);
  ASSERT_EQ(numbers.to_reserve(), 9 + kHandedAtOnce);
  ASSERT_EQ(numbers.to_reserve(), 9 + kHandedAtOnce) << "asking changes nothing: the commit may fail";
  numbers.reserved(9 + kHandedAtOnce);
  EXPECT_EQ(numbers.hand_out(), 10U);
  EXPECT_EQ(numbers.to_reserve(), std::nullopt);
  EXPECT_EQ(numbers.hand_out(), 11U);
  EXPECT_EQ(numbers.next(), 10 + kHandedAtOnce) << "a block that is only stored takes none of them";
  for (std::uint64_t i = 2; i < kHandedAtOnce; ++i) static_cast<void>(numbers.hand_out());
  EXPECT_EQ(numbers.to_reserve(), 9 + 2 * kHandedAtOnce);
}

TEST(BlockNumbers, ASnapshotIsDueForManyRowsAndForRowsThatGo) {
  BlockNumbers numbers;
  numbers.load(11, 5, 0, 10);
  EXPECT_FALSE(numbers.snapshot_due(true, 0));
  EXPECT_FALSE(numbers.snapshot_due(true, 5)) << "it has what moved with that row";
  EXPECT_TRUE(numbers.snapshot_due(false, 6));
  numbers.add_rows(kSnapshotEvery - 1);
  EXPECT_FALSE(numbers.snapshot_due(true, 0));
  numbers.add_rows(1);
  EXPECT_TRUE(numbers.snapshot_due(true, 0));
  EXPECT_FALSE(numbers.snapshot_due(false, 0)) << "nothing is stored that it could come with";
  numbers.stored_row(11);
  numbers.stored_all(11);
  numbers.snapshot_written(11);
  EXPECT_FALSE(numbers.snapshot_due(true, 11));
  EXPECT_EQ(numbers.next(), 12U);
  EXPECT_EQ(numbers.snapshot_through(), 11U);
}

TEST(LogRoom, IsAnEighthWithinBounds) {
  const std::uint64_t mib = 1 << 20;
  struct Case {
    std::uint64_t max_size, disk, log;  // MiB
  };
  for (const Case& c : {Case{1024, 1024, 32}, {64, 1024, 8}, {1024, 80, 10}, {4, 1024, 1}, {1, 1, 1}}) {
    EXPECT_EQ(most_log(c.max_size * mib, c.disk * mib), c.log * mib) << c.max_size;
  }
}

TEST(LogRoom, ACommitNeedsItsPagesAQuarterMoreAndSomeSlack) {
  EXPECT_EQ(log_bytes(0, 0), 64U * 4120);
  EXPECT_EQ(log_bytes(100, 40), (100U + 40 + 10 + 64) * 4120);
  EXPECT_FALSE(copy_due(255, 1 << 20));
  EXPECT_TRUE(copy_due(256, 1 << 20));
}

}  // namespace
}  // namespace weir::spool
