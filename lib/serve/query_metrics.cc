#include "serve/query_metrics.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace weir::serve {
namespace {

// Nanoseconds.
constexpr std::array<std::uint64_t, 10> kBounds = {
    5'000'000,     10'000'000,    25'000'000,    100'000'000,    250'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 15'000'000'000, 60'000'000'000,
};

constexpr auto kQueries =
    metrics::counter("weir_serve_queries_total", "queries",
                     "Requests that read the store, by how they ended: ok, refused, overloaded, timeout, gone, stopped or failed.",
                     metrics::Account::none, "outcome");
constexpr auto kRunning = metrics::gauge("weir_serve_running_queries", "queries", "Requests that read the store now.");
constexpr auto kDurations = metrics::histogram("weir_serve_query_duration_seconds", "seconds",
                                               "From the arrival of a request that reads the store until it ends.", kBounds);

constexpr std::array<std::string_view, 7> kNames = {"ok", "refused", "overloaded", "timeout", "gone", "stopped", "failed"};
std::string_view name_of(QueryOutcome outcome) { return kNames.at(static_cast<std::size_t>(outcome)); }

}  // namespace

QueryOutcome outcome_of(int status) {
  switch (status) {
    case 429:
      return QueryOutcome::overloaded;
    case 499:
      return QueryOutcome::gone;
    case 503:
      return QueryOutcome::stopped;
    case 504:
      return QueryOutcome::timeout;
    default:
      if (status < 400) return QueryOutcome::ok;
      return status < 500 ? QueryOutcome::refused : QueryOutcome::failed;
  }
}

QueryMetrics::QueryMetrics(metrics::Registry* registry)
    : block_(registry),
      queries_(block_.family(kQueries)),
      running_(block_.gauge(kRunning)),
      durations_(block_.histogram(kDurations)) {
  // There from the start, so that a first increase is seen.
  for (const std::string_view name : kNames) queries_.at(name);
}

void QueryMetrics::begin() {
  const std::lock_guard lock(mutex_);
  running_.set(running_.value() + 1);
}

void QueryMetrics::end(QueryOutcome outcome, base::Duration taken) {
  const std::lock_guard lock(mutex_);
  running_.set(running_.value() - 1);
  queries_.at(name_of(outcome)).add(1);
  durations_.add(static_cast<std::uint64_t>(std::max<base::Duration>(taken, 0)));
}

void QueryMetrics::refuse(QueryOutcome outcome) {
  const std::lock_guard lock(mutex_);
  queries_.at(name_of(outcome)).add(1);
}

}  // namespace weir::serve
