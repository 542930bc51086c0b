#include "stages/buffer_metrics.h"

#include "support/books.h"
#include "support/collect.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using base::kSecond;
using Troubles = std::vector<std::pair<metrics::Trouble, std::string>>;

class BufferMetricsTest : public testing::Test {
 protected:
  [[nodiscard]] std::uint64_t value(std::string_view name, std::string_view label_value = {}) const {
    return test::value_of(test_.registry, name, label_value);
  }
  void note(const spool::Stock& stock, base::Monotonic now, base::Timestamp wall = 1000 * kSecond) {
    metrics_.note(stock, "/spool.db", now, wall);
  }
  test::TestContext test_;
  BufferMetrics metrics_{test_.context};
};

TEST_F(BufferMetricsTest, ShowsWhatTheSpoolHolds) {
  note({.limit = 1000,
        .file_bytes = 500,
        .undelivered_records = 3,
        .undelivered_bytes = 300,
        .held_bytes = 20,
        .oldest_undelivered = 990 * kSecond,
        .oldest_held = 900 * kSecond},
       0);
  EXPECT_EQ(value("weir_buffer_limit_bytes"), 1000U);
  EXPECT_EQ(value("weir_buffer_size_bytes"), 500U);
  EXPECT_EQ(value("weir_buffer_undelivered_records"), 3U);
  EXPECT_EQ(value("weir_buffer_undelivered_bytes"), 300U);
  EXPECT_EQ(value("weir_buffer_oldest_undelivered_seconds"), 10U * kSecond);
  EXPECT_EQ(value("weir_buffer_held_stored_bytes"), 20U);
  EXPECT_EQ(value("weir_buffer_held_oldest_seconds"), 100U * kSecond);
  EXPECT_EQ(value("weir_buffer_full_seconds"), metrics::kInfinite);
  note({.limit = 1000, .file_bytes = 500}, kSecond);
  EXPECT_EQ(value("weir_buffer_oldest_undelivered_seconds"), 0U);
  // The clock was set back.
  note({.limit = 1000, .oldest_undelivered = 2000 * kSecond}, 2 * kSecond);
  EXPECT_EQ(value("weir_buffer_oldest_undelivered_seconds"), 0U);
}

TEST_F(BufferMetricsTest, SaysWhenItWillBeFull) {
  note({.limit = 1000, .undelivered_bytes = 100}, 0);
  note({.limit = 1000, .undelivered_bytes = 400}, 60 * kSecond);
  EXPECT_EQ(value("weir_buffer_full_seconds"), 120U * kSecond);
  note({.limit = 700, .undelivered_bytes = 400}, 60 * kSecond);
  EXPECT_EQ(value("weir_buffer_full_seconds"), 60U * kSecond) << "others take what is free on the disk";
}

// The next block is larger than what is left, and nothing grows any more.
TEST_F(BufferMetricsTest, ItIsFullWhileRecordsFindNoRoom) {
  for (base::Monotonic now = 0; now <= 10 * base::kMinute; now += base::kMinute)
    note({.limit = 1000, .full = true, .undelivered_bytes = 900}, now);
  EXPECT_EQ(value("weir_buffer_full_seconds"), 0U);
  note({.limit = 1000, .undelivered_bytes = 900}, 11 * base::kMinute);
  EXPECT_EQ(value("weir_buffer_full_seconds"), metrics::kInfinite);
}

TEST_F(BufferMetricsTest, RaisesATroubleWhileLittleRoomIsLeft) {
  note({.allowed = 1000, .limit = 1000, .file_bytes = 1000, .undelivered_bytes = 799}, 0);
  EXPECT_TRUE(test_.registry.troubles().empty()) << "delivered records make room";
  note({.allowed = 1000, .limit = 1000, .undelivered_bytes = 800}, 1);
  EXPECT_EQ(test_.registry.troubles(),
            (Troubles{{metrics::Trouble::room, "80 % of the spool '/spool.db' are records that wait for delivery"}}));
  note({.allowed = 1000, .limit = 1000, .undelivered_bytes = 1100}, 2);
  EXPECT_EQ(test_.registry.troubles().front().second, "100 % of the spool '/spool.db' are records that wait for delivery");
  EXPECT_TRUE(metrics_.is_nearly_full());
  note({.allowed = 1000, .limit = 100, .undelivered_bytes = 100}, 3);
  EXPECT_FALSE(metrics_.is_nearly_full()) << "who waits for room says that the disk is full";
  note({.allowed = 1000, .limit = 1000, .undelivered_bytes = 10}, 4);
  EXPECT_TRUE(test_.registry.troubles().empty());
}

TEST_F(BufferMetricsTest, TimesCommits) {
  metrics_.committed(30 * base::kMillisecond, 5 * kSecond);
  metrics_.committed(20 * base::kMillisecond, 6 * kSecond);
  metrics_.not_committed();
  EXPECT_EQ(value("weir_buffer_commit_duration_seconds", std::to_string(50 * base::kMillisecond)), 1U);
  EXPECT_EQ(value("weir_buffer_commit_duration_seconds", std::to_string(25 * base::kMillisecond)), 1U);
  EXPECT_EQ(value("weir_buffer_commit_duration_seconds", "sum"), 50U * base::kMillisecond);
  EXPECT_EQ(value("weir_buffer_last_commit_timestamp_seconds"), 6U * kSecond);
  EXPECT_EQ(value("weir_buffer_store_failures_total"), 1U);
}

}  // namespace
}  // namespace weir::stages
