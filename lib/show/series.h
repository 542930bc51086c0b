// The answer to a metric query, gathered: its series, in the order of the answer, and their points.
#pragma once

#include "base/clock.h"
#include "record/label_set.h"
#include "record/record.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::show {

struct Point {
  base::Timestamp time = 0;
  double value = 0;  // may be infinite, or no number
};

struct Series {
  record::LabelSetRef labels;
  std::vector<Point> points;
  std::string text;  // the value of the only point, as it came
};

// What a series comes to. Values that are infinite or no number do not count.
struct Extent {
  std::size_t numbers = 0;
  double least = 0, most = 0, sum = 0, last = 0;
  [[nodiscard]] double mean() const { return numbers == 0 ? 0 : sum / static_cast<double>(numbers); }
};
[[nodiscard]] Extent extent_of(const Series& series);

// Not thread safe.
class SeriesSet {
 public:
  static constexpr std::size_t kMostPoints = 1 << 20;  // 16 MiB

  // False: it is full, and the sample was not taken.
  bool add(const record::Record& sample);
  [[nodiscard]] const std::vector<Series>& all() const { return all_; }
  [[nodiscard]] std::size_t points() const { return points_; }
  // All points have one time, as those of an instant query have.
  [[nodiscard]] bool is_instant() const { return points_ > 0 && first_ == last_; }
  [[nodiscard]] base::Timestamp first() const { return first_; }
  [[nodiscard]] base::Timestamp last() const { return last_; }
  // The shortest time between two points of a series; 0 where no series has two.
  [[nodiscard]] base::Duration step() const;
  // Labels that every series has with the same value: `{app="x"}`, "" for none; and the names of the others, in order.
  [[nodiscard]] std::string shared() const;
  [[nodiscard]] std::vector<std::string> differing() const;

 private:
  std::vector<Series> all_;
  std::unordered_map<const record::LabelSet*, std::size_t> places_;
  std::size_t points_ = 0;
  base::Timestamp first_ = 0, last_ = 0;
};

// A value for people: "1234", "0.06667", "12.5M": about four digits, and few columns. Ten thousand is 10k.
[[nodiscard]] std::string short_number(double value);

}  // namespace weir::show
