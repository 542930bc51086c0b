// One range of a metric query, such as `rate({app="x"} | json [5m])`: takes records in the order of their time and gives, for each
// point of time that is asked for, the value of each series.
//
// A sample counts at every point t with t - range < time + offset <= t. Each series has a window of numbers for each of these
// points that is still open. So memory grows with the series and with range/step, not with the records (but quantile_over_time and
// rate_counter keep the values of a window). A point is closed by at(), and its windows are gone. Source: Loki 3.7,
// pkg/logql/range_vector.go and pkg/logql/log/labels.go (which labels a series has).
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "logql/ast.h"
#include "logql/log_query.h"
#include "logql/range_function.h"
#include "record/label_set.h"
#include "record/record.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::logql {

// The points of time at which a query is evaluated: start, start + step, … up to and with end. step 0 (or start == end): one point.
struct MetricTimes {
  base::Timestamp start = 0, end = 0;
  base::Duration step = 0;

  [[nodiscard]] std::size_t points() const {
    return step <= 0 || end <= start ? 1 : static_cast<std::size_t>((end - start) / step) + 1;
  }
  [[nodiscard]] base::Timestamp point(std::size_t index) const { return start + static_cast<base::Duration>(index) * step; }
  // As Loki's frontend does it before a range query: start down and end up to a multiple of the step.
  [[nodiscard]] MetricTimes aligned() const;
};

struct VectorSample {
  record::LabelSetRef labels;
  double value = 0;
};
using MetricVector = std::vector<VectorSample>;  // at one point of time, each series once

// Not thread safe.
class RangeVector {
 public:
  // `outer`: the labels that a `sum` around it keeps, where Loki lets them decide which labels a sample has at all; for a sum
  // without `by` and `without` an empty Grouping. `text`: the query, for errors. `memory`: bytes that open windows may take.
  static base::Result<std::unique_ptr<RangeVector>> compile(const RangeAggregation& expr, const std::optional<Grouping>& outer,
                                                            const MetricTimes& times, std::size_t memory, std::string_view text);

  // The time of the records that count.
  [[nodiscard]] base::TimeRange reads() const { return reads_; }
  [[nodiscard]] base::Duration offset() const { return offset_; }
  [[nodiscard]] bool selects(const record::LabelSet& labels) const { return query_.selects(labels); }
  [[nodiscard]] const LogQuery& query() const { return query_; }

  // One or several samples of one series.
  struct Sample {
    base::Timestamp time = 0;                  // of the first, without the offset
    const record::LabelSet* series = nullptr;  // held by the range until its next call
    double value = 0;                          // of several: the sum
    std::uint64_t samples = 1;
  };
  // What the record counts as; nullopt when it does not count. Error: Code::config in Loki's words where it has __error__. Does not
  // touch the windows, so that any other range of the same query may be asked, in another thread.
  base::Result<std::optional<Sample>> sample(record::Record& record, record::Batch& batch);
  // Samples come in the order of their time. Error: Code::config where open windows would take more memory than is allowed.
  base::Result<void> add(const Sample& sample);
  base::Result<void> add(record::Record& record, record::Batch& batch);

  // Whether samples of one series that count at the same points may be added as one.
  [[nodiscard]] bool combines() const { return function_.combines(bytes_); }
  // The first and the last point at which a sample of this time counts; first > last: at none.
  struct Points {
    std::ptrdiff_t first = 0, last = -1;
  };
  [[nodiscard]] Points points_of(base::Timestamp time) const;
  // The time around this one whose samples count at the same points.
  [[nodiscard]] base::TimeRange cell_of(base::Timestamp time) const;
  // Whether a sample may depend on the line of its record.
  [[nodiscard]] bool reads_line() const { return bytes_ || query_.reads_line(); }

  // Series of which a point is open: at() will show each of them, but for absent_over_time.
  [[nodiscard]] std::size_t open_series() const { return series_.size(); }
  // The one that got a sample last; null when it is not open any more.
  [[nodiscard]] const record::LabelSet* latest_series() const { return latest_ == nullptr ? nullptr : latest_->labels.get(); }

  // Appends the series at this point, and closes it. Points are asked for in their order, each once.
  void at(std::size_t point, MetricVector& out);

 private:
  struct Series {
    record::LabelSetRef labels;
    std::size_t first = 0;  // point of windows[0]
    std::vector<RangeFunction::Window> windows;
    // Where the function needs all samples: those of the windows, by time. Those in front of `unused` are in none any more.
    std::vector<MetricPoint> samples;
    std::size_t unused = 0;
  };

  RangeVector(LogQuery query, RangeFunction function, const MetricTimes& times, base::Duration range, base::Duration offset);
  base::Error refused(const LogQuery::Entry& entry);
  const record::LabelSet* known_series(const record::Record& record);
  const record::LabelSet* series_of(const record::Record& record, const LogQuery::Entry& entry);
  void gather(const LogQuery::Entry& entry);
  [[nodiscard]] bool by_stream_alone(const record::Record& record) const;
  base::Result<void> count_memory(std::size_t before, std::size_t after);
  base::Result<void> keep(Series& series, const MetricPoint& point);
  double result(Series& series, std::size_t point);

  LogQuery query_;
  RangeFunction function_;
  MetricTimes times_;
  base::Duration range_, offset_;
  base::TimeRange reads_;
  bool plain_ = false;                // the query is a selector alone
  bool bytes_ = false;                // a sample's value is the size of its line
  std::optional<Grouping> grouping_;  // which labels a series keeps; none: all
  bool no_labels_ = false;
  bool keeps_error_ = false;
  std::string unwrapped_;              // the label that unwrap reads as a number, "" for none
  record::LabelSetRef absent_labels_;  // of the series of absent_over_time; null for every other function
  std::size_t memory_, used_ = 0;

  std::unordered_map<const record::LabelSet*, Series> series_;
  Series* latest_ = nullptr;  // of series_
  // By the labels of a stream, where the labels of its samples follow from them. Both are held.
  std::unordered_map<const record::LabelSet*, std::pair<record::LabelSetRef, record::LabelSetRef>> by_stream_;
  std::pair<const record::LabelSet*, const record::LabelSet*> latest_stream_;  // of by_stream_
  record::LabelSetRef made_;                                                   // of the latest sample of no such stream
  std::vector<record::Label> labels_;
  std::vector<MetricPoint> window_;  // the samples of one window
};

}  // namespace weir::logql
