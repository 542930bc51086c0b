#include "pipeline/chain.h"

#include <algorithm>

namespace weir::pipeline {
namespace {

// For the stages behind one that used up the time: what needs no waiting is done.
constexpr base::Duration kLeastToFinish = base::kSecond;

class EndOutlet : public Outlet {
 public:
  Result<Flow> emit(Batch& batch) override {
    if (batch.empty()) return Flow::more;
    return base::fail(base::Code::bug, "records were emitted past the last stage of a chain");
  }
  Result<Monotonic> nudge(Monotonic) override { return base::kNever; }
  Result<Flushed> flush(Monotonic) override { return Flushed::safe; }
};

// One stage and all below it.
class StageOutlet : public Outlet {
 public:
  StageOutlet(Stage& stage, Outlet& next) : stage_(stage), next_(next) {}

  Result<Flow> emit(Batch& batch) override { return stage_.consume(batch, next_); }

  Result<Monotonic> nudge(Monotonic now) override {
    auto mine = stage_.nudge(now, next_);
    if (!mine || stage_.drives_below()) return mine;
    auto below = next_.nudge(now);
    if (!below) return below;
    return std::min(*mine, *below);
  }

  Result<void> attach(base::Wake& wake) override {
    if (auto mine = stage_.attach(wake); !mine || stage_.drives_below()) return mine;
    return next_.attach(wake);
  }

  Result<Flushed> flush(Monotonic deadline) override {
    auto mine = stage_.flush(next_, deadline);
    if (!mine || *mine == Flushed::timed_out || stage_.drives_below()) return mine;
    return next_.flush(deadline);
  }

  [[nodiscard]] base::Duration batch_wait() const override {
    return stage_.drives_below() ? stage_.batch_wait() : std::max(stage_.batch_wait(), next_.batch_wait());
  }

  [[nodiscard]] int reader_fd() const override {
    const int mine = stage_.reader_fd();
    return mine >= 0 ? mine : next_.reader_fd();
  }

  Result<Flow> reader_left() override { return stage_.reader_fd() >= 0 ? stage_.reader_left() : next_.reader_left(); }

 private:
  Stage& stage_;
  Outlet& next_;
};

// links[i] stands for stages[i] and all after it; the last one for the end.
std::vector<std::unique_ptr<Outlet>> link(std::span<const std::unique_ptr<Stage>> stages) {
  std::vector<std::unique_ptr<Outlet>> links(stages.size() + 1);
  links.back() = std::make_unique<EndOutlet>();
  for (std::size_t i = stages.size(); i-- > 0;) links[i] = std::make_unique<StageOutlet>(*stages[i], *links[i + 1]);
  return links;
}

class LinkedOutlet : public Outlet {
 public:
  explicit LinkedOutlet(std::span<const std::unique_ptr<Stage>> stages) : links_(link(stages)) {}
  Result<Flow> emit(Batch& batch) override { return links_.front()->emit(batch); }
  Result<Monotonic> nudge(Monotonic now) override { return links_.front()->nudge(now); }
  Result<void> attach(base::Wake& wake) override { return links_.front()->attach(wake); }
  Result<Flushed> flush(Monotonic deadline) override { return links_.front()->flush(deadline); }
  [[nodiscard]] base::Duration batch_wait() const override { return links_.front()->batch_wait(); }
  [[nodiscard]] int reader_fd() const override { return links_.front()->reader_fd(); }
  Result<Flow> reader_left() override { return links_.front()->reader_left(); }

 private:
  std::vector<std::unique_ptr<Outlet>> links_;
};

// What the source sees: wakes it, remembers that somebody below wanted no more, and lets others see the books between two batches.
class Watched : public Outlet {
 public:
  Watched(Outlet& next, const Context& context) : next_(next), clock_(*context.clock), driver_(context.driver) {}
  Result<void> begin() {
    if (auto attached = next_.attach(wake_); !attached || driver_ == nullptr) return attached;
    if (auto opened = wake_.open(); !opened) return opened;
    driver_->begin(wake_);
    return {};
  }
  // Nobody rings any more.
  void end() {
    if (driver_ != nullptr) driver_->end();
  }
  // The batch is still all the source's, and what is below is done with the one before.
  Result<Flow> emit(Batch& batch) override {
    if (driver_ != nullptr) driver_->turn(clock_.monotonic());
    return note_end(next_.emit(batch));
  }
  // Stages bring their cells up to date in it.
  Result<Monotonic> nudge(Monotonic now) override {
    wake_.hear();
    if (driver_ == nullptr) return next_.nudge(now);
    driver_->keep(now);
    auto due = next_.nudge(now);
    driver_->turn(clock_.monotonic());  // it may have taken long
    return due;
  }
  [[nodiscard]] int wake_fd() const override { return wake_.fd(); }
  Result<Flushed> flush(Monotonic deadline) override { return next_.flush(deadline); }
  [[nodiscard]] base::Duration batch_wait() const override { return next_.batch_wait(); }
  [[nodiscard]] int reader_fd() const override { return next_.reader_fd(); }
  Result<Flow> reader_left() override { return note_end(next_.reader_left()); }

  bool done = false;

 private:
  Result<Flow> note_end(Result<Flow> flow) {
    if (flow && *flow == Flow::done) done = true;
    return flow;
  }

  Outlet& next_;
  base::Clock& clock_;
  metrics::Driver* const driver_;
  base::Wake wake_;
};

}  // namespace

std::unique_ptr<Outlet> make_outlet(std::span<const std::unique_ptr<Stage>> stages) {
  return std::make_unique<LinkedOutlet>(stages);
}

ChainResult run_chain(Source& source, std::span<const std::unique_ptr<Stage>> stages, const Context& context) {
  const auto links = link(stages);
  Watched top(*links.front(), context);
  ChainResult result;
  const auto note = [&ended = result.ended](Result<void> step) {
    if (ended) ended = std::move(step);
  };
  note(top.begin());
  if (result.ended) note(source.run(top, *context.stop));
  bool behind = false;  // behind a stage that drove it
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Monotonic now = context.clock->monotonic();
    if (context.driver != nullptr) context.driver->turn(now);
    Monotonic deadline = context.stop->deadline(now);
    if (context.stop->level() != base::Stop::leave) deadline = std::max(deadline, base::after(now, kLeastToFinish));
    // Of those behind, their own driver says what they wait for.
    const metrics::Wait wait(behind ? context.driver : nullptr, metrics::On::drain);
    note(stages[i]->finish(*links[i + 1], deadline));
    behind = behind || stages[i]->drives_below();
  }
  top.end();
  result.reader_gone = top.done;
  result.source = source.counters();
  for (const auto& stage : stages) result.stages.emplace_back(stage->name(), stage->counters());
  return result;
}

}  // namespace weir::pipeline
