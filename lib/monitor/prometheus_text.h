// The text format of Prometheus, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include "metrics/registry.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::monitor {

inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

// Samples of one metric stand together, as Registry::read() gives them. Values in seconds and ratios are divided by 10^9; buckets
// become cumulative; bytes of labels that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string prometheus_text(std::span<const metrics::Sample> samples);

// weir_unaccounted_records of each stage that has books (metric.h) in `samples`.
[[nodiscard]] std::vector<metrics::Sample> unaccounted_records(std::span<const metrics::Sample> samples);

}  // namespace weir::monitor
