#include "serve/endpoints.h"

#include "gotext/quantity.h"
#include "logql/pretty_printer.h"
#include "record/json.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace weir::serve {
namespace {

using record::json_string;

constexpr const char* kJson = "application/json; charset=utf-8";

}  // namespace

Answer format_query(Call& call) {
  auto query = parse_query(std::string(call.form().get("query")));
  if (!query) {
    return httpd::Response{
        .status = 400,
        .body = fmt::format("{{\"status\":\"invalid-query\",\"error\":{}}}\n", json_string(query.error().message)),
        .content_type = kJson};
  }
  return httpd::Response{.body = fmt::format("{{\"status\":\"success\",\"data\":{}}}\n", json_string(logql::print_pretty(*query))),
                         .content_type = kJson};
}

Answer drilldown_limits(Call& call) {
  const QueryLimits& limits = call.limits();
  std::string body = fmt::format(
      "{{\"limits\":{{\"discover_log_levels\":true,\"max_entries_limit_per_query\":{},\"max_line_size_truncate\":false,"
      "\"max_query_bytes_read\":\"0B\",\"max_query_length\":\"{}\",\"max_query_lookback\":\"0s\",\"max_query_range\":\"0s\","
      "\"max_query_series\":{},\"metric_aggregation_enabled\":false,\"pattern_persistence_enabled\":false,"
      "\"query_timeout\":\"{}\",\"retention_period\":\"0s\",\"volume_enabled\":true,\"volume_max_series\":{}}},"
      "\"pattern_ingester_enabled\":false,\"version\":{}}}\n",
      limits.entries, gotext::print_range_duration(limits.length), limits.series, gotext::print_range_duration(limits.time),
      limits.volume_series, json_string(call.shared().store.version));
  return httpd::Response{.body = std::move(body), .content_type = "application/json"};
}

}  // namespace weir::serve
