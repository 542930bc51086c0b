// Queries a Loki: log and metric queries, label names and values, series.
//
// A request is retried after growing, jittered waits when it failed for a reason that may pass (no answer, 408, 429, 5xx).
// Other refusals are errors with Loki's own words. Not thread safe; one client for each thread.
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
  http::ClientConfig http;  // a base that is a full push URL stands for the Loki of that URL
  std::string tenant;       // X-Scope-OrgID; "" sends no header
  int attempts = 6;         // tries of one request, including the first
  base::Backoff::Limits backoff;
  std::size_t max_body = 8 << 20;           // bytes; a larger answer is asked for again in smaller pieces
  std::size_t max_body_of_few = 256 << 20;  // the limit for an answer of one or two entries, which cannot be made smaller
};

// The hint for a query that begins with a filter.
inline constexpr std::string_view kNeedsSelector =
    "Loki needs a stream selector, such as {namespace=\"shop\"} or {namespace=~\".+\"}; only a query of a spool may leave it out";

class QueryClient {
 public:
  // `stop` may be null. The other arguments must outlive the client.
  static base::Result<std::unique_ptr<QueryClient>> create(QueryClientConfig config, base::Clock& clock,
                                                           base::Diagnostics& diagnostics, const base::Stop* stop);

  struct PageRequest {
    std::string_view query;
    base::TimeRange window = {0, 0};
    std::uint32_t limit = 1000;  // of entries; metric queries have no limit
    Direction direction = Direction::forward;
    base::Duration step = 0;  // the step of a metric query; 0: Loki chooses
    // Entries that an earlier answer has shown in this window; a smaller answer is asked for again.
    std::size_t at_least = 0;
    bool check_empty = false;  // an empty answer is believed only when a request for one entry finds none either
  };
  struct Page {
    QueryAnswer answer;
    std::size_t bytes = 0;    // size of the body
    std::size_t outside = 0;  // entries of the answer outside the window; they were not added
    bool too_large = false;   // nothing was added: ask for less. Never set when limit is 2 or less
    std::size_t seen = 0;     // with too_large: entries that are known to be in the window
    // Every try gave fewer than `at_least`, and fewer than `limit`: Loki does not give all it has.
    bool short_of = false;
    std::uint32_t allowed = 0;  // not 0: nothing was added, because Loki allows no limit above this
    // Not 0: nothing was added, because Loki takes no window that is longer. `refusal` says so in Loki's words.
    base::Duration longest = 0;
    std::optional<base::Error> refusal;
  };
  // Makes one request, with retries of what may pass. Appends its records to `out`, oldest first. `answer.entries` counts all
  // entries that Loki gave, also those outside the window.
  //
  // A Loki whose query frontend gets answers as JSON gives 200 and no entries in place of an answer that is over its
  // grpc_server_max_send_msg_size. So with `check_empty` an empty answer costs one more request, for a single entry. When that
  // finds one, and the first request stays empty, the page is too large.
  base::Result<Page> page(const PageRequest& request, record::Batch& out);

  // The answer of a metric query at one time: one sample for each series, appended to `out`. Code::config: Loki refuses the query.
  base::Result<void> instant(std::string_view query, base::Timestamp time, record::Batch& out);

  // `selector` may be empty. The names do not include shard labels.
  base::Result<std::vector<std::string>> labels(const base::TimeRange& window, std::string_view selector);
  base::Result<std::vector<std::string>> label_values(std::string_view name, const base::TimeRange& window,
                                                      std::string_view selector);
  base::Result<std::vector<record::LabelSetRef>> series(const base::TimeRange& window, std::string_view selector);

  // How much there is of the streams that `selector` takes, as Loki's index knows it: about.
  base::Result<IndexStats> stats(const base::TimeRange& window, std::string_view selector);

  struct VolumeRequest {
    std::string_view selector;  // Loki wants one; `{}` takes all streams
    base::TimeRange window = {0, 0};
    std::uint64_t limit = 100;        // the largest so many
    std::vector<std::string> labels;  // sums for each of their values; none: for the labels of the selector
    bool by_name = false;             // sums for each name of a label instead
  };
  // The largest first.
  base::Result<std::vector<LabelVolume>> volume(const VolumeRequest& request);

  struct FieldsRequest {
    std::string_view query;  // a log query
    base::TimeRange window = {0, 0};
    std::uint64_t limit = 1000;  // of fields, or of values
    std::uint64_t lines = 1000;  // how many of the newest lines Loki looks at
  };
  base::Result<std::vector<DetectedField>> fields(const FieldsRequest& request);
  base::Result<std::vector<std::string>> field_values(std::string_view name, const FieldsRequest& request);

  [[nodiscard]] std::uint64_t requests() const { return requests_; }

 private:
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  struct Got {
    int status = 0;
    bool too_large = false;
  };
  QueryClient(QueryClientConfig config, std::unique_ptr<http::Client> http, base::Clock& clock, base::Diagnostics& diagnostics,
              const base::Stop* stop);
  base::Result<Page> page_once(const PageRequest& request, record::Batch& out);
  base::Result<bool> hides_entries(const PageRequest& request, Page& page, record::Batch& out);
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
  bool hides_ = false;     // this Loki gave no entries in place of an answer that was too large
  bool answered_ = false;  // some request was answered, so a refused connection is worth waiting for
  std::uint64_t requests_ = 0;
};

}  // namespace weir::loki
