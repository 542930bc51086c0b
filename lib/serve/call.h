// One request for the store while it is worked on: its parameters, whose records it may see, and what it may take.
//
// Not thread safe, but for must_end(): one thread works on a request.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/time_range.h"
#include "httpd/exchange.h"
#include "logql/metric_query.h"
#include "logql/parser.h"
#include "scan/metric_scan.h"
#include "scan/spool_scan.h"
#include "serve/parameters.h"
#include "serve/query_api.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::serve {

// What all calls share. Outlives them.
struct Shared {
  Store store;
  QueryLimits limits;
  const base::Clock& clock;
  base::Diagnostics& diagnostics;
  std::atomic<base::Monotonic> stop_at = base::kNever;  // the server stops: new calls are refused, others end then
};

class Call {
 public:
  // `exchange` outlives the call. `deadline`: when the answer must be there.
  Call(const Shared& shared, httpd::Exchange& exchange, std::string tenant, base::Monotonic deadline);

  // Reads the parameters. Before the others. Errors: those of Form.
  base::Result<void> read_form();

  [[nodiscard]] const httpd::Request& request() const { return exchange_.request(); }
  [[nodiscard]] httpd::Exchange& exchange() { return exchange_; }
  [[nodiscard]] const Form& form() const { return form_; }
  [[nodiscard]] const std::string& tenant() const { return tenant_; }
  [[nodiscard]] const QueryLimits& limits() const { return shared_.limits; }
  [[nodiscard]] const Shared& shared() const { return shared_; }
  [[nodiscard]] base::Timestamp now() const { return now_; }

  // The spool; none while there is no file, or an empty one.
  [[nodiscard]] std::span<const std::string> spools() const { return spools_; }

  // It has to end: nobody waits for the answer, the time is up, or the server stops now. Remembered from then on.
  bool over();
  // What is answered then, whatever came of the work; nullopt while it is not over. Where nobody waits, any answer does.
  [[nodiscard]] std::optional<httpd::Response> when_over() const;
  // As over(), for any thread, and not remembered.
  [[nodiscard]] bool must_end() const;
  // What a scan for it may take.
  [[nodiscard]] scan::Limits scan_limits() const;
  // Its time is up. As over(), but does not ask again.
  [[nodiscard]] bool late() const { return late_ && !gone_ && !stopping_; }
  // The spool could not be read, for an answer in pieces, whose status says nothing.
  void set_failed() { failed_ = true; }
  [[nodiscard]] bool failed() const { return failed_; }

  // A scan of the tenant's records, which ends when the call is over. Errors: those of SpoolScan::open().
  base::Result<std::unique_ptr<scan::SpoolScan>> scan(logql::LogExpr query, const base::TimeRange& range);
  // Errors: those of MetricQuery and of scan::evaluate().
  base::Result<logql::MetricAnswer> evaluate(const std::string& query, const logql::MetricTimes& times, bool instant,
                                             std::size_t most_series);
  // Bytes of blocks that were read.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // Since the call began.
  [[nodiscard]] base::Duration taken() const { return shared_.clock.monotonic() - begun_; }

 private:
  const Shared& shared_;
  httpd::Exchange& exchange_;
  std::string tenant_;
  base::Monotonic begun_, deadline_;
  base::Timestamp now_;
  Form form_;
  std::vector<std::string> spools_;
  bool gone_ = false, late_ = false, stopping_ = false, failed_ = false;
  std::uint64_t bytes_read_ = 0;
};

// ---- queries of requests. Errors have Loki's text, and ParseError's place in `text`, `offset` and `hint`.

base::Result<logql::Expr> parse_query(const std::string& text, const logql::ParserOptions& options = {});
base::Result<logql::LogExpr> parse_log_query(const std::string& text);
// Nothing but label matchers. `all`: one that takes everything is accepted, such as {}.
base::Result<logql::LogExpr> parse_selector(const std::string& text, bool all);

// To what Loki cuts the ends of a range before it compares its length with the limit. With end_up the end is rounded up instead.
enum class Rounding : std::uint8_t { milliseconds, milliseconds_end_up, seconds };
// The range of a request is not too long. Errors: usage.
base::Result<void> check_length(const Call& call, const base::TimeRange& range, Rounding rounding = Rounding::milliseconds);

// ---- answers

// What a client gets for an error: 400 for what it asked, 500 for what went wrong.
[[nodiscard]] httpd::Response refusal(const base::Error& error);
[[nodiscard]] int status_of(const base::Error& error);
// 503, while the server stops.
[[nodiscard]] httpd::Response stopping_answer();
[[nodiscard]] httpd::Response json_answer(std::string body);
// An error of reading the spool: that it is none is not the client's mistake.
[[nodiscard]] base::Error of_store(base::Error error);
// The answer would be larger than QueryLimits::answer.
[[nodiscard]] base::Error too_large(const Call& call);

}  // namespace weir::serve
