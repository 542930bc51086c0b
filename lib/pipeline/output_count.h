// What the sinks that write to a descriptor count: JSON lines, text, bare lines.
#pragma once

#include "pipeline/counters.h"
#include "pipeline/stage.h"

namespace weir::pipeline {

// For the thread that drives the sink.
class OutputCount {
 public:
  explicit OutputCount(const Context& context);

  // A record of the batch at hand was put into the text.
  void take(const record::Record& record) { batch_.add(record); }
  // The text was written. `but_for`, if there is one, was the latest taken and is not in it.
  void written(const record::Record* but_for);
  // The batch at hand is done with. `all` is false where the reader wanted no more in the middle of it: then the rest of it is in
  // flight for ever.
  void end_of_batch(const record::Batch& batch, bool all);

  [[nodiscard]] Counters counters() const { return counters_of(block_); }

 private:
  metrics::Block block_;
  metrics::Counter records_in_, bytes_in_, records_out_, bytes_out_;
  metrics::Gauge unwritten_;
  Tally before_, batch_;
};

}  // namespace weir::pipeline
