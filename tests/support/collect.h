// A context, a diagnostics that remembers, and a stage that remembers what reached it, for tests of stages.
#pragma once

#include "pipeline/chain.h"
#include "record/json.h"
#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "support/fake_clock.h"

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::test {

class RememberingDiagnostics : public base::Diagnostics {
 public:
  void say(std::string_view text) override { add(text); }
  void warn(std::string_view, std::string_view text) override { add(text); }
  [[nodiscard]] std::vector<std::string> said() const {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  void add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    said_.emplace_back(text);
  }
  mutable std::mutex mutex_;
  std::vector<std::string> said_;
};

// A context whose parts live as long as it does.
struct TestContext {
  FakeClock clock;
  RememberingDiagnostics diagnostics;
  std::unique_ptr<base::Stop> stop = std::move(*base::Stop::create());
  metrics::Registry registry;
  pipeline::Context context{&clock, &diagnostics, stop.get(), [](const char*) -> const char* { return nullptr; }, &registry};
};

// Remembers every record as its canonical JSON line; thread safe.
class Collector : public pipeline::Stage {
 public:
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet&) override {
    const std::lock_guard lock(mutex_);
    for (const pipeline::Record& record : batch.records) {
      pipeline::Record shown = record;
      if (!keep_raw) shown.touch();
      std::string line;
      record::append_jsonl(line, shown);
      line.pop_back();
      (record.is_marker() ? markers_ : lines_).push_back(line);
      all_.push_back(std::move(line));
    }
    ++batches_;
    if (limit > 0 && lines_.size() >= limit) return pipeline::Flow::done;
    return pipeline::Flow::more;
  }
  base::Result<void> finish(pipeline::Outlet&, base::Monotonic) override {
    const std::lock_guard lock(mutex_);
    ++finished_;
    return {};
  }
  [[nodiscard]] std::string_view name() const override { return "collector"; }

  [[nodiscard]] std::vector<std::string> lines() const { return locked(lines_); }
  [[nodiscard]] std::vector<std::string> markers() const { return locked(markers_); }
  [[nodiscard]] std::vector<std::string> all() const { return locked(all_); }
  [[nodiscard]] std::size_t batches() const { return batches_; }
  [[nodiscard]] int finished() const { return finished_; }

  bool keep_raw = false;
  std::size_t limit = 0;  // records after which it wants no more, 0 for none

 private:
  std::vector<std::string> locked(const std::vector<std::string>& from) const {
    const std::lock_guard lock(mutex_);
    return from;
  }
  mutable std::mutex mutex_;
  std::vector<std::string> lines_, markers_, all_;
  std::size_t batches_ = 0;
  int finished_ = 0;
};

// A batch read from JSON lines; the text must outlive it.
inline pipeline::Batch batch_of(const std::vector<std::string>& lines) {
  static FakeClock clock;
  record::JsonlReader reader(clock);
  pipeline::Batch batch;
  for (const std::string& line : lines) {
    if (!reader.parse(batch.copy(line), batch)) throw std::runtime_error("not a record: " + line);
  }
  return batch;
}

// What `stage` passes on of `lines` when they come in batches of `cut` records each.
inline std::vector<std::string> through(pipeline::Stage& stage, const std::vector<std::string>& lines, std::size_t cut) {
  Collector collector;
  std::vector<std::unique_ptr<pipeline::Stage>> below;
  struct Borrowed : pipeline::Stage {
    explicit Borrowed(pipeline::Stage& to) : stage(to) {}
    base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override {
      return stage.consume(batch, out);
    }
    [[nodiscard]] std::string_view name() const override { return stage.name(); }
    pipeline::Stage& stage;
  };
  below.push_back(std::make_unique<Borrowed>(collector));
  const auto outlet = pipeline::make_outlet(below);
  for (std::size_t at = 0; at < lines.size(); at += cut) {
    const auto from = lines.begin() + static_cast<std::ptrdiff_t>(at);
    pipeline::Batch batch = batch_of({from, from + static_cast<std::ptrdiff_t>(std::min(cut, lines.size() - at))});
    auto flow = stage.consume(batch, *outlet);
    if (!flow) throw std::runtime_error(flow.error().message);
  }
  auto finished = stage.finish(*outlet, base::kNever);
  if (!finished) throw std::runtime_error(finished.error().message);
  return collector.all();
}

}  // namespace weir::test
