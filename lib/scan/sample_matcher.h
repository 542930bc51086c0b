// The samples that the records of a block are for a metric query.
//
// A sample travels as a record: its time, the labels of its series, and as its line the bytes of the rest.
#pragma once

#include "logql/metric_query.h"
#include "scan/matcher.h"

#include <memory>
#include <vector>

namespace weir::scan {

// A record that SampleMatcher has made, back as a sample. The series is held by the batch of the record.
struct PackedSample {
  std::uint32_t range = 0;  // index in the query
  logql::RangeVector::Sample sample;
  static PackedSample of(const record::Record& record);
};

class SampleMatcher : public Matcher {
 public:
  explicit SampleMatcher(std::unique_ptr<logql::MetricQuery> query);

  [[nodiscard]] bool selects(const record::LabelSet& labels) const override { return query_->selects(labels); }
  [[nodiscard]] std::span<const std::vector<std::string>> needles() const override { return query_->needles(); }
  [[nodiscard]] bool reads_line() const override { return query_->reads_line(); }
  void begin() override;
  // Where all functions of the query allow it, samples of one series and one cell become one, and all of a cell come at the time at
  // which it begins. The order of samples within a cell does not matter then.
  base::Result<void> take(record::Batch& block, std::uint32_t index, Matches& out) override;
  [[nodiscard]] base::Timestamp cut(base::Timestamp time) const override;

 private:
  // Samples of the block at hand that others may be added to: of one range, by series, the latest of each.
  struct Open {
    const record::LabelSet* series;
    base::Timestamp cell;  // where it begins
    char* bytes;           // of the sample, in the batch
  };
  // The time around this one whose samples count at the same points, in every range.
  [[nodiscard]] base::TimeRange cell_of(base::Timestamp time) const;
  void add(std::uint32_t range, const logql::RangeVector::Sample& sample, Matches& out);

  std::unique_ptr<logql::MetricQuery> query_;
  std::vector<logql::RangeVector*> ranges_;  // of it
  bool combines_ = true;
  base::TimeRange cell_ = {0, 0};          // of the latest record
  std::vector<std::vector<Open>> latest_;  // by range
};

}  // namespace weir::scan
