// Asks a Loki: log and metric queries, label names and values, series.
//
// A request that failed for a reason that may pass (no answer, 408, 429, 5xx) is repeated with growing, jittered waits. Other
// refusals are errors that hold Loki's own words. Not thread safe; one client a thread.
#pragma once

#include "base/backoff.h"
#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/stop.h"
#include "base/time_range.h"
#include "http/client.h"
#include "loki/query_answer.h"
#include "record/record.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::loki {

enum class Direction : std::uint8_t { forward, backward };

struct QueryClientConfig {
  http::ClientConfig http;              // a base that is a full push URL is taken as its Loki's
  std::string tenant;                   // X-Scope-OrgID; "" sends none
  int attempts = 6;                     // of one request, the first included
  base::Backoff::Limits backoff;
  std::size_t max_body = 8 << 20;       // an answer that grows larger is asked for again in smaller pieces
  std::size_t max_body_of_few = 256 << 20;  // the same for one or two entries, which cannot be made fewer
};

class QueryClient {
 public:
  // `stop` may be null; the others must outlive the client.
  static base::Result<std::unique_ptr<QueryClient>> create(QueryClientConfig config, base::Clock& clock, base::Diagnostics& diagnostics,
                                                           const base::Stop* stop);

  struct PageRequest {
    std::string_view query;
    base::TimeRange window = {0, 0};
    std::uint32_t limit = 1000;         // of entries; metric queries know none
    Direction direction = Direction::forward;
    base::Duration step = 0;            // of a metric query; 0 leaves it to Loki
  };
  struct Page {
    QueryAnswer answer;
    std::size_t bytes = 0;              // of the body
    std::size_t outside = 0;            // entries of the answer that lie outside the window; they were not added
    bool too_large = false;             // nothing was added: ask for less. Never set when limit is 2 or less
    std::uint32_t allowed = 0;          // not 0: nothing was added, Loki allows no limit above this
  };
  // One request; appends its records to `out`, oldest first. `answer.entries` counts what the server gave, also what lay outside.
  base::Result<Page> page(const PageRequest& request, record::Batch& out);

  // `selector` may be empty.
  base::Result<std::vector<std::string>> labels(const base::TimeRange& window, std::string_view selector);
  base::Result<std::vector<std::string>> label_values(std::string_view name, const base::TimeRange& window, std::string_view selector);
  base::Result<std::vector<record::LabelSetRef>> series(const base::TimeRange& window, std::string_view selector);

  [[nodiscard]] std::uint64_t requests() const { return requests_; }

 private:
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  struct Got {
    int status = 0;
    bool too_large = false;
  };
  QueryClient(QueryClientConfig config, std::unique_ptr<http::Client> http, base::Clock& clock, base::Diagnostics& diagnostics,
              const base::Stop* stop);
  base::Result<Got> get(std::string_view path, const Parameters& parameters, std::size_t max_body);
  base::Result<void> get_all(std::string_view path, const Parameters& parameters);
  base::Result<void> wait(base::Duration duration) const;
  [[nodiscard]] base::Error refusal(int status) const;

  QueryClientConfig config_;
  std::unique_ptr<http::Client> http_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  const base::Stop* stop_;
  QueryAnswerParser parser_;
  std::string body_;
  bool answered_ = false;  // some request was answered: a refused connection is worth waiting for
  std::uint64_t requests_ = 0;
};

}  // namespace weir::loki
