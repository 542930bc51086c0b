// A LogQL metric query over records: `sum by (pod) (rate({namespace="shop"} |= "error" [5m]))`.
//
//   auto query = MetricQuery::compile(text, {start, end, step}, {});
//   for (…) query->add(record, batch);        // in the order of time, those of query->reads()
//   auto answer = query->finish();
//
// The meaning is Loki's: window bounds, matching of vectors, the order of the answer, the texts of errors. A real Loki is the judge
// (tests/loki/real). The records stream through; what is kept is the windows of the series that are open (range_vector.h) and the
// answer. Where Loki leaves an order open (equal values in topk), this one goes by labels.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "logql/ast.h"
#include "logql/parser.h"
#include "logql/range_vector.h"
#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

struct MetricAnswer {
  enum class Kind : std::uint8_t {
    scalar,  // of a query that is only a number, at one point
    vector,  // at one point
    matrix,
  };
  struct Series {
    record::LabelSetRef labels;
    std::vector<MetricPoint> points;  // whole milliseconds
  };
  Kind kind = Kind::matrix;
  std::vector<Series> series;  // sorted by labels; of a vector with sort or sort_desc by value
};

struct MetricLimits {
  std::size_t series = 0;            // of the answer; 0: any number. Loki's default is 500
  std::size_t memory = 64UL << 20U;  // bytes, for all ranges together
};

// Not thread safe.
class MetricQuery {
 public:
  // `instant`: the answer is a vector or scalar at times.start; else a matrix. Errors: Code::config, for a query that does not
  // parse, a log query, and what weir does not evaluate (variants, approx_topk).
  static base::Result<std::unique_ptr<MetricQuery>> compile(std::string_view text, const MetricTimes& times, bool instant,
                                                            const MetricLimits& limits, const ParserOptions& syntax = {});
  virtual ~MetricQuery() = default;

  // The records that it needs: of any of its ranges.
  [[nodiscard]] virtual base::TimeRange reads() const = 0;
  [[nodiscard]] virtual bool selects(const record::LabelSet& labels) const = 0;
  // A log query that every record passes that counts, of line filters alone; {} when there is more than one range.
  [[nodiscard]] virtual LogExpr common_filter() const = 0;
  // Of each of these groups, the line of every record that counts contains at least one byte string.
  [[nodiscard]] virtual std::span<const Needles> needles() const = 0;
  // Whether anything depends on the lines. Without, records may come with an empty one.
  [[nodiscard]] virtual bool reads_line() const = 0;

  // Records come in the order of their time. Errors: Code::config in Loki's words where a sample has __error__, for too many
  // series, as soon as it is certain that the answer will have them, and for too much memory.
  virtual base::Result<void> add(record::Record& record, record::Batch& batch) = 0;

  // ---- in two steps: several threads find the samples, each with a query of its own, and one query adds them

  // Another query of the same text, times and limits.
  [[nodiscard]] virtual base::Result<std::unique_ptr<MetricQuery>> again() const = 0;
  [[nodiscard]] virtual std::size_t ranges() const = 0;
  [[nodiscard]] virtual RangeVector& range(std::size_t index) = 0;
  // Of the range of this index. Samples of all ranges together come in the order of their time.
  virtual base::Result<void> add(std::size_t index, const RangeVector::Sample& sample) = 0;

  // Errors: as add(); and Code::parse where series cannot be matched with each other, which is no mistake of the text.
  virtual base::Result<MetricAnswer> finish() = 0;
};

}  // namespace weir::logql
