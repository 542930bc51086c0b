#include "logql/range_function.h"

#include "gotext/quantity.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::logql {
namespace {

using Kind = RangeFunction::Kind;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Kind kind_of(std::string_view name, bool unwraps) {
  if (name == "count_over_time") return Kind::count;
  if (name == "rate") return unwraps ? Kind::sum_rate : Kind::count_rate;
  if (name == "bytes_rate") return Kind::sum_rate;
  if (name == "rate_counter") return Kind::counter_rate;
  if (name == "avg_over_time") return Kind::average;
  if (name == "min_over_time") return Kind::minimum;
  if (name == "max_over_time") return Kind::maximum;
  if (name == "stddev_over_time") return Kind::deviation;
  if (name == "stdvar_over_time") return Kind::variance;
  if (name == "quantile_over_time") return Kind::quantile;
  if (name == "first_over_time") return Kind::first;
  if (name == "last_over_time") return Kind::last;
  if (name == "absent_over_time") return Kind::present;
  return Kind::sum;  // sum_over_time, bytes_over_time
}

// NaN comes first.
bool is_less(const MetricPoint& a, const MetricPoint& b) {
  if (std::isnan(a.value) || std::isnan(b.value)) return std::isnan(a.value) && !std::isnan(b.value);
  return a.value < b.value;
}

// Puts the points into another order.
double quantile(double phi, std::span<MetricPoint> points) {
  if (points.empty()) return kNan;
  if (phi < 0) return -std::numeric_limits<double>::infinity();
  if (phi > 1) return std::numeric_limits<double>::infinity();
  const auto n = static_cast<double>(points.size());
  const double rank = phi * (n - 1);
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(n - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  const auto at = points.begin() + static_cast<std::ptrdiff_t>(lower);
  std::nth_element(points.begin(), at, points.end(), is_less);
  const double next = upper > lower ? std::min_element(at + 1, points.end(), is_less)->value : at->value;
  return at->value * (1 - weight) + next * weight;
}

// The increase of a counter by the second, as Prometheus extrapolates it. Loki gives nanoseconds where Prometheus has milliseconds,
// but the range: so the start of the window lies close before the first sample, and its end at the last one.
double counter_rate(std::span<const MetricPoint> points, base::Duration range) {
  if (points.size() < 2) return 0;
  const MetricPoint& first = points.front();
  const MetricPoint& last = points.back();
  double increase = last.value - first.value;
  double before = 0;
  for (const MetricPoint& point : points) {
    if (point.value < before) increase += before;
    before = point.value;
  }
  double to_start = static_cast<double>(range / base::kMillisecond) / 1000;
  const double to_end = 0;
  const double sampled = static_cast<double>(last.time - first.time) / 1000;
  const double between = sampled / static_cast<double>(points.size() - 1);
  if (increase > 0 && first.value >= 0) to_start = std::min(to_start, sampled * (first.value / increase));
  const double threshold = between * 1.1;
  double extrapolated = sampled;
  extrapolated += to_start < threshold ? to_start : between / 2;
  extrapolated += to_end < threshold ? to_end : between / 2;
  return increase * (extrapolated / sampled) / gotext::go_seconds(range);
}

}  // namespace

RangeFunction::RangeFunction(std::string_view name, std::optional<double> parameter, bool unwraps, base::Duration range)
    : kind_(kind_of(name, unwraps)), parameter_(parameter.value_or(0)), range_(range) {}

void RangeFunction::add(Window& window, const MetricPoint& point, std::uint64_t samples) const {
  const double value = point.value;
  window.count_ += samples;
  const auto count = static_cast<double>(window.count_);
  switch (kind_) {
    case Kind::count:
    case Kind::count_rate:
    case Kind::present:
    case Kind::quantile:
    case Kind::counter_rate:
      break;
    case Kind::sum:
    case Kind::sum_rate:
      window.value_ += value;
      break;
    case Kind::average:
      // An infinite mean stays, unless the other infinity or no number comes.
      if (std::isinf(window.mean_)) {
        if (std::isinf(value) && (window.mean_ > 0) == (value > 0)) break;
        if (!std::isinf(value) && !std::isnan(value)) break;
      }
      window.mean_ += value / count - window.mean_ / count;
      break;
    case Kind::minimum:
      if (window.count_ == 1 || value < window.value_ || std::isnan(window.value_)) window.value_ = value;
      break;
    case Kind::maximum:
      if (window.count_ == 1 || value > window.value_ || std::isnan(window.value_)) window.value_ = value;
      break;
    case Kind::deviation:
    case Kind::variance: {
      const double delta = value - window.mean_;
      window.mean_ += delta / count;
      window.value_ += delta * (value - window.mean_);
      break;
    }
    case Kind::first:
      if (window.count_ == 1) window.value_ = value;
      break;
    case Kind::last:
      window.value_ = value;
      break;
  }
}

double RangeFunction::result(const Window& window, std::span<MetricPoint> samples) const {
  const auto count = static_cast<double>(window.count_);
  switch (kind_) {
    case Kind::count:
      return count;
    case Kind::count_rate:
      return count / gotext::go_seconds(range_);
    case Kind::sum_rate:
      return window.value_ / gotext::go_seconds(range_);
    case Kind::average:
      return window.mean_;
    case Kind::deviation:
      return std::sqrt(window.value_ / count);
    case Kind::variance:
      return window.value_ / count;
    case Kind::present:
      return 1;
    case Kind::quantile:
      return quantile(parameter_, samples);
    case Kind::counter_rate:
      return counter_rate(samples, range_);
    case Kind::sum:
    case Kind::minimum:
    case Kind::maximum:
    case Kind::first:
    case Kind::last:
      return window.value_;
  }
  return kNan;
}

}  // namespace weir::logql
