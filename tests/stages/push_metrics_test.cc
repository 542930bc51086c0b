#include "stages/push_metrics.h"

#include "support/books.h"
#include "support/collect.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using base::kSecond;
using Troubles = std::vector<std::pair<metrics::Trouble, std::string>>;

class PushMetricsTest : public testing::Test {
 protected:
  [[nodiscard]] std::uint64_t value(std::string_view name, std::string_view label_value = {}) const {
    return test::value_of(test_.registry, name, label_value);
  }
  test::TestContext test_;
  PushMetrics metrics_{test_.context};
};

TEST_F(PushMetricsTest, ShowsAnswersByStatus) {
  loki::PusherStats stats;
  stats.answers = {{0, 2}, {204, 5}, {429, 3}};
  stats.request_times[1] = 7;
  stats.request_time = 90;
  stats.last_success = 1234;
  metrics_.publish(stats);
  stats.answers[204] = 6;
  metrics_.publish(stats);
  metrics_.publish(stats);
  EXPECT_EQ(value("weir_push_responses_total", "error"), 2U);
  EXPECT_EQ(value("weir_push_responses_total", "204"), 6U);
  EXPECT_EQ(value("weir_push_responses_total", "429"), 3U);
  EXPECT_EQ(value("weir_push_rate_limited_requests_total"), 3U);
  EXPECT_EQ(value("weir_push_request_duration_seconds", std::to_string(loki::kRequestTimes[1])), 7U);
  EXPECT_EQ(value("weir_push_request_duration_seconds", "sum"), 90U);
  EXPECT_EQ(value("weir_push_last_success_timestamp_seconds"), 1234U);
}

TEST_F(PushMetricsTest, AFailureOfSomeTimeIsATrouble) {
  const base::Timestamp wall = 1000 * kSecond;
  loki::PusherWaits waits{.failing_since = 100 * kSecond, .retry_at = 115 * kSecond, .cause = "503", .oldest = wall - 7 * kSecond};
  metrics_.note(waits, {}, 109 * kSecond, wall);
  EXPECT_TRUE(test_.registry.troubles().empty());
  EXPECT_EQ(value("weir_push_backoff_seconds"), 6U * kSecond);
  EXPECT_EQ(value("weir_push_oldest_unsent_seconds"), 7U * kSecond);
  metrics_.note(waits, {}, 110 * kSecond, wall);
  EXPECT_EQ(test_.registry.troubles(), (Troubles{{metrics::Trouble::delivery, "503"}}));
  metrics_.note(waits, {}, 120 * kSecond, wall);
  EXPECT_EQ(value("weir_push_backoff_seconds"), 0U);
  metrics_.note({}, {}, 121 * kSecond, wall);
  EXPECT_TRUE(test_.registry.troubles().empty());
  EXPECT_EQ(value("weir_push_oldest_unsent_seconds"), 0U);
}

TEST_F(PushMetricsTest, PositionsThatCannotBeStoredAreATrouble) {
  delivery::DeliveryLedger::Storing storing{.failures = 2, .failing_since = 100 * kSecond, .cause = "the disk is full"};
  metrics_.note({}, storing, 105 * kSecond, 0);
  EXPECT_EQ(value("weir_push_checkpoint_failures_total"), 2U);
  EXPECT_TRUE(test_.registry.troubles().empty());
  metrics_.note({}, storing, 110 * kSecond, 0);
  EXPECT_EQ(test_.registry.troubles(), (Troubles{{metrics::Trouble::positions, "the disk is full"}}));
  storing.failing_since = base::kNever;
  metrics_.note({}, storing, 111 * kSecond, 0);
  EXPECT_TRUE(test_.registry.troubles().empty());
  EXPECT_EQ(value("weir_push_checkpoint_failures_total"), 2U);
}

}  // namespace
}  // namespace weir::stages
