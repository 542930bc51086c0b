// The parameters of a request, as Loki reads them (loki: pkg/loghttp/params.go, query.go; Go: net/url). Errors are Code::usage with
// Loki's text.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "httpd/message.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::serve {

// Those of the URL and, of a POST with a form, those of the body, which go before.
class Form {
 public:
  // Errors: an escape or a semicolon that Go refuses.
  static base::Result<Form> of(const httpd::Request& request);

  // The first one of this name; "" without.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;

 private:
  base::Result<void> add(std::string_view text);
  std::vector<std::pair<std::string, std::string>> values_;
};

// A point of time: seconds (with a dot: a float, of which milliseconds count), nanoseconds (more than ten characters), or RFC 3339.
// What is beyond 64 bits of nanoseconds is the farthest time there is. The error is the one of Go's strconv.
base::Result<base::Timestamp> parse_time(std::string_view text, base::Timestamp otherwise);
// Seconds as a float, or a duration of Prometheus.
base::Result<base::Duration> parse_step(std::string_view text);
// strconv.Atoi.
base::Result<std::int64_t> parse_number(std::string_view text);

// `start` and `end`, or `since` before now. The start may be behind the end.
base::Result<base::TimeRange> bounds_of(const Form& form, base::Timestamp now);
// The length of a range, without overflow.
[[nodiscard]] base::Duration length_of(const base::TimeRange& range);

// A number above 0.
base::Result<std::uint64_t> limit_of(const Form& form, std::string_view name, std::uint64_t otherwise);
// Newest first, which is the default.
base::Result<bool> is_backward(const Form& form);
// Above 0; without one the step is that for this range.
base::Result<base::Duration> step_of(const Form& form, const base::TimeRange& range);

// What query_range takes.
struct RangeRequest {
  std::string query;
  base::TimeRange range;
  std::uint64_t limit = 0;
  bool backward = true;
  base::Duration step = 0;
  base::Duration interval = 0;
};
// In the order in which Loki checks them.
base::Result<RangeRequest> range_request(const Form& form, base::Timestamp now);

}  // namespace weir::serve
