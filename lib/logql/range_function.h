// The functions that make one number of the samples in a window: rate, count_over_time, quantile_over_time, …
//
// A Window takes samples in the order of their time, and keeps two or three numbers of them. quantile_over_time and rate_counter
// need all values: whoever adds samples keeps those, once for all windows. The arithmetic is Loki's, operation by operation, so
// that the bits of the result are the same. Source: Loki 3.7, pkg/logql/range_vector.go.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::logql {

struct MetricPoint {
  base::Timestamp time = 0;
  double value = 0;
};

class RangeFunction {
 public:
  enum class Kind : std::uint8_t {
    count,  // of samples: count_over_time
    count_rate,
    sum,  // of values: sum_over_time, bytes_over_time
    sum_rate,
    counter_rate,
    average,
    minimum,
    maximum,
    deviation,
    variance,
    quantile,
    first,
    last,
    present,  // absent_over_time asks whether there is any sample
  };

  // `name` is one that the parser knows. `parameter`: the φ of quantile_over_time. `unwraps`: the range has an unwrap.
  RangeFunction(std::string_view name, std::optional<double> parameter, bool unwraps, base::Duration range);

  class Window {
   public:
    [[nodiscard]] bool empty() const { return count_ == 0; }

   private:
    friend class RangeFunction;
    double value_ = 0, mean_ = 0;
    std::uint64_t count_ = 0;
  };

  void add(Window& window, const MetricPoint& point) const { add(window, point, 1); }
  // So many samples at once, where these may be combined; then the point's value is their sum.
  void add(Window& window, const MetricPoint& point, std::uint64_t samples) const;
  // Whether samples that fall into the same windows may be added as one: only their number counts, or a sum of whole numbers.
  // `bytes`: the values are sizes of lines.
  [[nodiscard]] bool combines(bool bytes) const {
    const bool counts = kind_ == Kind::count || kind_ == Kind::count_rate || kind_ == Kind::present;
    return counts || (bytes && (kind_ == Kind::sum || kind_ == Kind::sum_rate));
  }
  // Whether the result needs all samples of the window.
  [[nodiscard]] bool needs_samples() const { return kind_ == Kind::quantile || kind_ == Kind::counter_rate; }
  // Of a window that is not empty. `samples`: all of the window in the order of their time, where they are needed; this call may
  // put them into another order.
  [[nodiscard]] double result(const Window& window, std::span<MetricPoint> samples = {}) const;

 private:
  Kind kind_;
  double parameter_ = 0;
  base::Duration range_;
};

}  // namespace weir::logql
