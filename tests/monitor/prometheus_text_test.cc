#include "monitor/prometheus_text.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::monitor {
namespace {

using metrics::Account;
using metrics::Block;
using metrics::Registry;

constexpr auto kIn = metrics::counter("weir_test_input_records_total", "records", "Records that came.", Account::in);
constexpr auto kOut = metrics::counter("weir_test_output_records_total", "records", "Records that went.", Account::out);
constexpr auto kDropped =
    metrics::counter("weir_test_dropped_records_total", "records", "Records that were dropped.", Account::dropped, "reason");
constexpr auto kOpen = metrics::gauge("weir_test_open_records", "records", "Records in flight.", Account::in_flight);
constexpr auto kAge = metrics::gauge("weir_test_oldest_seconds", "seconds", "Age of the oldest.");
constexpr auto kShare = metrics::gauge("weir_test_dropped_ratio", "ratio", "Share.");
constexpr auto kLimit = metrics::gauge("weir_test_limit_bytes", "bytes", "With a \\ and\na second line.");
constexpr auto kLag =
    metrics::gauge("weir_test_log_lag_seconds", "seconds", "Lag.", Account::none, "log_namespace,log_pod,log_container", 5);
constexpr std::array<std::uint64_t, 3> kBounds = {5'000'000, 1'000'000'000, 10'000'000'000};
constexpr auto kTook = metrics::histogram("weir_test_took_seconds", "seconds", "Time.", kBounds);

TEST(PrometheusText, OfCountersAndGauges) {
  Registry registry;
  Block block(&registry);
  block.counter(kIn).add(12'345'678'901'234);
  block.gauge(kAge).set(1'500'000'000);
  block.gauge(kShare).set(250'000'000);
  block.gauge(kLimit).set(metrics::kInfinite);
  block.gauge(kOpen).set(0);
  EXPECT_EQ(prometheus_text(registry.read()), R"(# HELP weir_test_dropped_ratio Share.
# TYPE weir_test_dropped_ratio gauge
weir_test_dropped_ratio 0.25
# HELP weir_test_input_records_total Records that came.
# TYPE weir_test_input_records_total counter
weir_test_input_records_total 12345678901234
# HELP weir_test_limit_bytes With a \\ and\na second line.
# TYPE weir_test_limit_bytes gauge
weir_test_limit_bytes +Inf
# HELP weir_test_oldest_seconds Age of the oldest.
# TYPE weir_test_oldest_seconds gauge
weir_test_oldest_seconds 1.5
# HELP weir_test_open_records Records in flight.
# TYPE weir_test_open_records gauge
weir_test_open_records 0
)");
}

TEST(PrometheusText, SecondsAreExact) {
  const std::pair<std::uint64_t, const char*> cases[] = {
      {0, "0"},
      {1, "0.000000001"},
      {1'000'000'000, "1"},
      {10'000'000'000, "10"},
      {1'760'000'000'123'456'700, "1760000000.1234567"},
      {metrics::kInfinite, "+Inf"},
  };
  for (const auto& [value, text] : cases) {
    const metrics::Sample sample = {.metric = &kAge, .value = value};
    const std::string all = prometheus_text({&sample, 1});
    EXPECT_EQ(all.substr(all.rfind(' ') + 1), std::string(text) + "\n");
  }
}

TEST(PrometheusText, LabelsAreEscaped) {
  Registry registry;
  Block block(&registry);
  auto family = block.family(kDropped);
  family.at("say \"\\\n\"").add(1);
  family.at("no\xffutf8 \xc3\xa4").add(2);
  const std::string text = prometheus_text(registry.read());
  EXPECT_NE(text.find("{reason=\"say \\\"\\\\\\n\\\"\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("{reason=\"no\xef\xbf\xbdutf8 \xc3\xa4\"} 2\n"), std::string::npos) << text;
}

TEST(PrometheusText, OfATableWithSeveralLabels) {
  Registry registry;
  Block block(&registry);
  block.table(kLag).replace({{{"shop", "web-1", ""}, 2'000'000'000}, {{"shop", "web-2", "nginx"}, metrics::kInfinite}});
  EXPECT_EQ(prometheus_text(registry.read()), R"(# HELP weir_test_log_lag_seconds Lag.
# TYPE weir_test_log_lag_seconds gauge
weir_test_log_lag_seconds{log_namespace="shop",log_pod="web-1",log_container=""} 2
weir_test_log_lag_seconds{log_namespace="shop",log_pod="web-2",log_container="nginx"} +Inf
)");
}

TEST(PrometheusText, BucketsAreCumulativeAndInOrder) {
  Registry registry;
  Block block(&registry);
  auto took = block.histogram(kTook);
  for (const std::uint64_t value : {1'000'000ULL, 5'000'000ULL, 500'000'000ULL, 2'000'000'000ULL, 60'000'000'000ULL})
    took.add(value);
  EXPECT_EQ(prometheus_text(registry.read()), R"(# HELP weir_test_took_seconds Time.
# TYPE weir_test_took_seconds histogram
weir_test_took_seconds_bucket{le="0.005"} 2
weir_test_took_seconds_bucket{le="1"} 3
weir_test_took_seconds_bucket{le="10"} 4
weir_test_took_seconds_bucket{le="+Inf"} 5
weir_test_took_seconds_sum 62.506
weir_test_took_seconds_count 5
)");
}

TEST(Unaccounted, OfEachStageThatHasBooks) {
  Registry registry;
  Block block(&registry);
  block.counter(kIn).add(10);
  block.counter(kOut).add(4);
  block.gauge(kOpen).set(1);
  block.family(kDropped).at("rule").add(3);
  block.gauge(kAge).set(7);
  auto samples = unaccounted_records(registry.read());
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_NE(prometheus_text(samples).find("weir_unaccounted_records{stage=\"test\"} 2\n"), std::string::npos);
  block.gauge(kOpen).set(5);  // a second cell: 6 in flight
  samples = unaccounted_records(registry.read());
  EXPECT_NE(prometheus_text(samples).find("weir_unaccounted_records{stage=\"test\"} -3\n"), std::string::npos);
}

TEST(Unaccounted, IsNothingWithoutBooks) {
  Registry registry;
  Block block(&registry);
  block.gauge(kAge).set(7);
  EXPECT_TRUE(unaccounted_records(registry.read()).empty());
}

}  // namespace
}  // namespace weir::monitor
