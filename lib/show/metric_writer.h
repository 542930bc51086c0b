// The samples of a metric query for people: a table for one point in time, a chart over time.
//
// The whole answer is held, since a chart needs it. Of one that is larger than SeriesSet takes, every sample becomes a line.
#pragma once

#include "show/series.h"
#include "show/style.h"
#include "show/writer.h"

#include <cstddef>
#include <string>

namespace weir::show {

class MetricWriter : public Writer {
 public:
  struct Options {
    // Without a screen, values are exact, all labels are columns, and what lies over time becomes a row a series.
    bool screen = false;
    std::size_t rows = 12;  // of a chart
    Canvas canvas = {};
  };
  explicit MetricWriter(const Options& options) : options_(options) {}

  void add(std::string& out, record::Batch& batch, record::Record& record) override;
  [[nodiscard]] bool holds() const override { return set_.points() > 0; }
  void release(std::string& out) override;
  void resize(std::size_t width) override { options_.canvas.width = width; }

 private:
  [[nodiscard]] std::string instant() const;
  [[nodiscard]] std::string summary() const;
  [[nodiscard]] std::string head() const;
  void overflow(std::string& out);
  void append_line(std::string& out, base::Timestamp time, std::string_view value, const record::LabelSet& labels) const;

  Options options_;
  SeriesSet set_;
  bool overflowed_ = false;
};

}  // namespace weir::show
