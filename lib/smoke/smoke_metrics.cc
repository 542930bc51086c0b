#include "smoke/smoke_metrics.h"

#include <array>
#include <cstdint>

namespace weir::smoke {
namespace {

// Nanoseconds.
constexpr std::array<std::uint64_t, 10> kBounds = {
    100'000'000,   250'000'000,    500'000'000,    1'000'000'000,  2'500'000'000,
    5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000, 300'000'000'000,
};

constexpr auto kRuns =
    metrics::counter("weir_smoke_finished_runs_total", "runs",
                     "Runs of smoke by result: good, bad, or none when Loki could not be asked.", metrics::Account::none, "result");
constexpr auto kFaultyRecords =
    metrics::counter("weir_smoke_faulty_records_total", "records",
                     "Records of bad runs by fault: missing, refused, late, repeated, truncated, changed, and "
                     "others.",
                     metrics::Account::none, "fault");
constexpr auto kSent = metrics::counter("weir_smoke_sent_records_total", "records", "Records that smoke sent.");
constexpr auto kArrived =
    metrics::counter("weir_smoke_arrived_records_total", "records", "Records of smoke that were read back, repeats left out.");
constexpr auto kLatency = metrics::histogram("weir_smoke_arrival_latency_seconds", "seconds",
                                             "From the moment a record is sent until a query shows it.", kBounds);
constexpr auto kP99 =
    metrics::gauge("weir_smoke_p99_latency_seconds", "seconds",
                   "The 99th percentile of the time from sending a record of smoke until a query shows it, in the latest run.");
constexpr auto kLastRun =
    metrics::gauge("weir_smoke_last_run_timestamp_seconds", "seconds", "When the latest run of smoke ended; 0 before the first.");
constexpr auto kLastSuccess = metrics::gauge("weir_smoke_last_success_timestamp_seconds", "seconds",
                                             "When the latest good run of smoke ended; 0 before the first.");

}  // namespace

SmokeMetrics::SmokeMetrics(metrics::Registry* registry)
    : block_(registry),
      runs_(block_.family(kRuns)),
      faults_(block_.family(kFaultyRecords)),
      sent_(block_.counter(kSent)),
      arrived_(block_.counter(kArrived)),
      latency_(block_.histogram(kLatency)),
      p99_(block_.gauge(kP99)),
      last_run_(block_.gauge(kLastRun)),
      last_success_(block_.gauge(kLastSuccess)) {
  // There from the start, so that a first increase is seen.
  for (const char* result : {"good", "bad", "none"}) runs_.at(result);
  for (std::size_t i = 0; i < kFaults; ++i) faults_.at(name_of(static_cast<Fault>(i)));
}

void SmokeMetrics::add(const Outcome& outcome, base::Timestamp now) {
  last_run_.set(static_cast<std::uint64_t>(now));
  if (!outcome) return runs_.at("none").add(1);
  const Verdict& verdict = outcome->verdict;
  runs_.at(verdict.good() ? "good" : "bad").add(1);
  for (const Finding& finding : verdict.findings) faults_.at(name_of(finding.fault)).add(finding.count);
  sent_.add(verdict.sent);
  arrived_.add(verdict.arrived);
  for (const base::Duration latency : verdict.latency.all) latency_.add(static_cast<std::uint64_t>(latency));
  if (!verdict.latency.all.empty()) p99_.set(static_cast<std::uint64_t>(verdict.latency.p99));
  if (verdict.good()) last_success_.set(static_cast<std::uint64_t>(now));
}

}  // namespace weir::smoke
