// The names of LogQL's functions, by what stands in their parentheses. A name is a function only where it is called.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace weir::logql {

// Of a log range: rate({…} [5m]).
inline constexpr std::array<std::string_view, 15> kRangeFunctions = {"rate",
                                                                     "rate_counter",
                                                                     "count_over_time",
                                                                     "bytes_rate",
                                                                     "bytes_over_time",
                                                                     "avg_over_time",
                                                                     "sum_over_time",
                                                                     "min_over_time",
                                                                     "max_over_time",
                                                                     "stdvar_over_time",
                                                                     "stddev_over_time",
                                                                     "quantile_over_time",
                                                                     "first_over_time",
                                                                     "last_over_time",
                                                                     "absent_over_time"};
// Of a metric: sum(…).
inline constexpr std::array<std::string_view, 13> kMetricFunctions = {"sum",       "avg",         "count",        "max",     "min",
                                                                      "stddev",    "stdvar",      "topk",         "bottomk", "sort",
                                                                      "sort_desc", "approx_topk", "label_replace"};
// Of a number: vector(0).
inline constexpr std::string_view kVectorFunction = "vector";

[[nodiscard]] constexpr bool is_range_function(std::string_view name) {
  return std::ranges::find(kRangeFunctions, name) != kRangeFunctions.end();
}
[[nodiscard]] constexpr bool is_metric_function(std::string_view name) {
  return std::ranges::find(kMetricFunctions, name) != kMetricFunctions.end();
}

}  // namespace weir::logql
