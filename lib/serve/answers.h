// The bodies of Loki's answers to queries (loki: pkg/util/marshal).
#pragma once

#include "logql/metric_query.h"
#include "serve/call.h"
#include "serve/stream_groups.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::serve {

// The flags of X-Loki-Response-Encoding-Flags, each once, in the order of the header. (Loki's order is left to chance.)
[[nodiscard]] std::vector<std::string> encoding_flags(const httpd::Request& request);
inline constexpr std::string_view kCategorize = "categorize-labels";

// The array is taken out of `groups`.
[[nodiscard]] std::string streams_body(const Call& call, StreamGroups& groups, const std::vector<std::string>& flags);
// The body of the legacy query.
[[nodiscard]] std::string legacy_body(const Call& call, StreamGroups& groups);
// Errors: too_large().
base::Result<std::string> metric_body(const Call& call, const logql::MetricAnswer& answer);

// {"status":"success","data":["a","b"]}; without data where there are none.
[[nodiscard]] std::string strings_body(const std::vector<std::string>& values);
// ["a","b"]
[[nodiscard]] std::string string_array(const std::vector<std::string>& values);
// The Unix time in seconds, with as many digits as needed; milliseconds count.
void append_seconds(std::string& out, base::Timestamp time);

}  // namespace weir::serve
