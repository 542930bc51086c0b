// Runs one stage over JSON lines and gives back what it emits, as JSON lines. How the input is cut into batches must not matter,
// so every run is done with batches of one, two and all records, and with random cuts, each on a stage of its own.
#pragma once

#include "pipeline/stage.h"
#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "support/books.h"
#include "support/fake_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace weir::test {

using Lines = std::vector<std::string>;

// Keeps what is emitted as JSON lines.
class LinesOutlet : public pipeline::Outlet {
 public:
  base::Result<pipeline::Flow> emit(record::Batch& batch) override {
    for (const record::Record& record : batch.records) {
      records += record.is_marker() ? 0 : 1;
      std::string line;
      record::append_jsonl(line, record);
      line.pop_back();
      lines.push_back(std::move(line));
    }
    return pipeline::Flow::more;
  }
  base::Result<base::Monotonic> nudge(base::Monotonic) override { return base::kNever; }
  base::Result<pipeline::Flushed> flush(base::Monotonic) override { return pipeline::Flushed::safe; }

  Lines lines;
  std::uint64_t records = 0;
};

// `next` says how many records the next batch has. Every record is parsed into memory that is overwritten afterwards, as a
// source does that reuses its batch.
inline Lines run_stage_once(pipeline::Stage& stage, const Lines& input, const std::function<std::size_t()>& next) {
  FakeClock clock;
  record::JsonlReader reader(clock);
  record::Batch batch;
  LinesOutlet out;
  for (std::size_t at = 0; at < input.size();) {
    for (std::size_t left = std::max<std::size_t>(next(), 1); left > 0 && at < input.size(); --left, ++at) {
      static_cast<void>(reader.parse(batch.copy(input[at]), batch));
    }
    const auto flow = stage.consume(batch, out);
    if (!flow) ADD_FAILURE() << flow.error().message;
    batch.clear();
  }
  const auto finished = stage.finish(out, base::kNever);
  if (!finished) ADD_FAILURE() << finished.error().message;
  expect_balance(stage.counters());
  EXPECT_EQ(stage.counters().records_out, out.records);
  return out.lines;
}

inline Lines run_stage(const std::function<std::unique_ptr<pipeline::Stage>()>& make, const Lines& input) {
  const auto run = [&](const std::function<std::size_t()>& next) {
    const auto stage = make();
    return run_stage_once(*stage, input, next);
  };
  const Lines whole = run([&] { return input.size(); });
  EXPECT_EQ(run([] { return 1; }), whole) << "batches of one record";
  EXPECT_EQ(run([] { return 2; }), whole) << "batches of two records";
  std::mt19937 random(7);
  EXPECT_EQ(run([&] { return 1 + random() % 5; }), whole) << "random batches";
  return whole;
}

}  // namespace weir::test
