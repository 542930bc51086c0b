// What the sources of `weir query` have in common: they count what they pass on, show progress, keep to a limit, and say why
// nothing was found.
#pragma once

#include "logql/metric_query.h"
#include "metrics/metric.h"
#include "pipeline/stage.h"
#include "record/label_set.h"
#include "show/progress.h"
#include "stages/query.h"

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::stages {

class AnswerSource : public pipeline::Source {
 public:
  AnswerSource(QuerySpec spec, const pipeline::Context& context);

  [[nodiscard]] std::string_view name() const override { return "query"; }
  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }
  // How many records the limit left out; or why nothing was found.
  [[nodiscard]] std::string summary() const override;

  // As LogQL writes a stream selector: `{app="shop", pod="web-1"}`.
  [[nodiscard]] static std::string printed(const record::LabelSet& set);

 protected:
  base::Result<pipeline::Flow> emit(pipeline::Outlet& out, record::Batch& batch);
  // Emits a batch of forward reading, up to the limit, which samples do not have. False: no more records are wanted.
  base::Result<bool> emit_up_to_limit(pipeline::Outlet& out, record::Batch& batch);
  // As records that have only a line.
  base::Result<void> emit_lines(pipeline::Outlet& out, const std::vector<std::string>& lines);
  // As JSON, or as LogQL writes a stream selector.
  base::Result<void> emit_series(pipeline::Outlet& out, const std::vector<record::LabelSetRef>& series);

  // Each point of each series as a record, the oldest first, and those of one time in the order of the series: as answers of Loki
  // come.
  base::Result<void> emit_samples(pipeline::Outlet& out, const logql::MetricAnswer& answer);

  // Says that Loki did not give all entries of so many timestamps. Nothing where there are none.
  void say_incomplete(std::uint64_t timestamps) const;
  // `done` of `all` is searched; `found`: records so far.
  void show_progress(std::uint64_t done, std::uint64_t all, std::uint64_t bytes, std::uint64_t found);
  // Says why nothing was found in spools; where some of them could not be read, that nothing is known of that.
  void explain_nothing(std::span<const std::string> spools, const base::TimeRange& range, std::uint64_t unreadable);
  // Records that were passed on.
  [[nodiscard]] std::uint64_t shown() const { return records_out_.value(); }

  const QuerySpec spec_;
  const pipeline::Context context_;
  metrics::Block block_;
  metrics::Counter records_in_, bytes_in_, records_out_, bytes_out_;
  show::Progress progress_{"searched", *context_.diagnostics, *context_.clock};
  bool more_ = false;      // the limit left records out
  bool finished_ = false;  // the answer is complete
  std::string why_;        // why nothing was found

 private:
  void choose_labels(record::Batch& batch);

  struct Chosen {
    record::LabelSetRef of, labels;
  };
  std::unordered_map<const record::LabelSet*, Chosen> chosen_;
};

}  // namespace weir::stages
