#include "smoke/smoke_metrics.h"

#include "support/metric_values.h"

#include <gtest/gtest.h>

namespace weir::smoke {
namespace {

using test::metric_values;

TEST(SmokeMetrics, TellOfEachRun) {
  metrics::Registry registry;
  SmokeMetrics metrics(&registry);
  // All results and faults are there before the first run, so that a scrape sees the first increase.
  EXPECT_EQ(metric_values(registry).at("weir_smoke_finished_runs_total bad"), 0U);
  EXPECT_EQ(metric_values(registry).at("weir_smoke_faulty_records_total command_failed"), 0U);
  EXPECT_EQ(metric_values(registry).at("weir_smoke_last_success_timestamp_seconds"), 0U);

  RunReport report;
  report.verdict.sent = 200;
  report.verdict.arrived = 200;
  report.verdict.latency = {
      {base::kSecond, 2 * base::kSecond}, base::kSecond, 2 * base::kSecond, 2 * base::kSecond, 2 * base::kSecond};
  metrics.add(report, 1000);
  report.verdict.arrived = 190;
  report.verdict.findings = {{Fault::missing, 10, {}}, {Fault::late, 2, {}}};
  metrics.add(report, 2000);
  metrics.add(base::fail(base::Code::network, "cannot push"), 3000);

  const auto found = metric_values(registry);
  EXPECT_EQ(found.at("weir_smoke_finished_runs_total good"), 1U);
  EXPECT_EQ(found.at("weir_smoke_finished_runs_total bad"), 1U);
  EXPECT_EQ(found.at("weir_smoke_finished_runs_total none"), 1U);
  EXPECT_EQ(found.at("weir_smoke_faulty_records_total missing"), 10U);
  EXPECT_EQ(found.at("weir_smoke_faulty_records_total late"), 2U);
  EXPECT_EQ(found.at("weir_smoke_faulty_records_total repeated"), 0U);
  EXPECT_EQ(found.at("weir_smoke_sent_records_total"), 400U);
  EXPECT_EQ(found.at("weir_smoke_arrived_records_total"), 390U);
  EXPECT_EQ(found.at("weir_smoke_p99_latency_seconds"), static_cast<std::uint64_t>(2 * base::kSecond));
  EXPECT_EQ(found.at("weir_smoke_arrival_latency_seconds sum"), static_cast<std::uint64_t>(6 * base::kSecond));
  EXPECT_EQ(found.at("weir_smoke_last_success_timestamp_seconds"), 1000U);
  EXPECT_EQ(found.at("weir_smoke_last_run_timestamp_seconds"), 3000U);
}

}  // namespace
}  // namespace weir::smoke
