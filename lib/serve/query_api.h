// The half of `serve` that reads: Loki's HTTP API over a spool, for logcli, Grafana's data source and the page.
//
//   auto api = QueryApi::create({.spool = path}, {}, clock, diagnostics);
//   server takes api->routes();
//   api->stop(deadline);              // before the server drains: queries that run or wait have until then
//
// The answers are those of Loki 3.7 (loki: pkg/loghttp, pkg/querier/queryrange, pkg/util/marshal): status codes, bodies, texts of
// errors. Points of metric queries lie on multiples of the step, as behind Loki's frontend. Every request sees the records of its
// tenant alone (tenant.h). A spool that does not exist yet has no records, and one that was replaced is read from the next request
// on. The endpoints under /weir/api/v1 are those of the page (view.h, context.h, store_status.h).
//
// A request is parsed and answered by one of a few threads (workers.h), each with memory, time and an answer that are bounded.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "httpd/message.h"
#include "metrics/registry.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::serve {

// What is read.
struct Store {
  std::string spool;         // the path of a spool, which need not exist yet
  bool read_only = false;    // shown by /weir/api/v1/status: this server takes no pushes
  std::string version = {};  // of weir, for buildinfo
};

// Of one request, where nothing else is said. The first ones are Loki's, with its names and defaults.
struct QueryLimits {
  std::uint64_t entries = 5000;               // max_entries_limit_per_query; 0: any number
  std::size_t series = 500;                   // max_query_series; 0: any number
  base::Duration length = 721 * base::kHour;  // max_query_length; 0: any
  std::uint64_t volume_series = 1000;         // volume_max_series
  base::Duration time = base::kMinute;        // query_timeout, from the request on; beyond: 504

  std::size_t queries = 2;             // at once
  std::size_t waiting = 64;            // beyond these; then 429
  std::size_t memory = 32 << 20;       // bytes, for reading
  std::size_t answer = 64 << 20;       // bytes of an answer, and of the series of a metric query; beyond: 400
  std::uint64_t view_lines = 100'000;  // of the page's view
};

// Thread safe: stop() and the handlers of routes() may be called from any thread.
class QueryApi {
 public:
  // The clock, `diagnostics`, which gets messages about what cannot be read, and the registry, which may be null, outlive it.
  static std::unique_ptr<QueryApi> create(Store store, const QueryLimits& limits, const base::Clock& clock,
                                          base::Diagnostics& diagnostics, metrics::Registry* registry = nullptr);
  // Stops, and waits for what runs. The server must not call its routes any more.
  virtual ~QueryApi() = default;
  QueryApi(const QueryApi&) = delete;
  QueryApi& operator=(const QueryApi&) = delete;

  // They refer to this object.
  [[nodiscard]] virtual std::vector<httpd::Route> routes() = 0;
  // New requests are answered 503. Those that run or wait go on until `deadline`, of the clock; then 503 is their answer, soon.
  virtual void stop(base::Monotonic deadline) = 0;

 protected:
  QueryApi() = default;
};

}  // namespace weir::serve
