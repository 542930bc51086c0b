// The contract of everything that can stand in a chain. A subcommand in a shell pipe and the same subcommand inside
// `weir run` are the same objects: only what feeds them and what they feed differs.
//
//   Source -> Stage -> … -> Stage        a sink is a stage that emits nothing
//
// One thread drives a chain by plain calls: back-pressure is the call stack. A stage that needs threads of its own hides them.
// Law of order: records of one source keep their order through every stage; a marker says that what came before it and is
// missing was dropped on purpose.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/stop.h"
#include "base/wake.h"
#include "metrics/driver.h"
#include "metrics/registry.h"
#include "pipeline/counters.h"
#include "record/record.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::pipeline {

using base::Monotonic;
using base::Result;
using record::Batch;
using record::Record;

enum class Flow : std::uint8_t {
  more,  // go on
  done,  // nobody downstream wants further records: the reader of the pipe went away, a limit is reached
};

enum class Flushed : std::uint8_t {
  safe,       // all that was emitted is safe below
  timed_out,  // the deadline came first; what was not acknowledged did not move, so going on is safe too
};

// What a producer sees of everything downstream. Called from one thread at a time.
class Outlet {
 public:
  virtual ~Outlet() = default;

  // Lends the batch: it may be changed, is done with when the call returns, and stays the caller's to clear and reuse.
  // An error is final: what is downstream cannot go on. May block (back-pressure).
  virtual Result<Flow> emit(Batch& batch) = 0;

  // Lets everything downstream emit what is due. Never waits. Returns when to call again at the latest (base::kNever: no need).
  virtual Result<Monotonic> nudge(Monotonic now) = 0;

  // For the thread that drives what is downstream, once, before its first call: `wake` is what this thread polls. Each stage
  // registers what it waits for; when `wake` was readable, and heard, nudge() is called. `wake` outlives everything downstream.
  virtual Result<void> attach(base::Wake& wake) {
    static_cast<void>(wake);
    return {};
  }
  // For a source that waits: the descriptor that is readable when nudge() should be called, -1 for none.
  [[nodiscard]] virtual int wake_fd() const { return -1; }

  // A barrier, for the end, a reload and tests. Nothing may rely on it across a pipe.
  virtual Result<Flushed> flush(Monotonic deadline) = 0;

  // How long records may wait for company at the end of the chain: a source that follows may gather as long, since earlier they
  // would not go on anyway.
  [[nodiscard]] virtual base::Duration batch_wait() const { return 0; }

  // For a source that waits: the descriptor whose POLLERR or POLLHUP says that the reader of what comes out at the end went away,
  // -1 for none; and what follows from that: Flow::done, or an error where the stream is tracked.
  [[nodiscard]] virtual int reader_fd() const { return -1; }
  virtual Result<Flow> reader_left() { return Flow::more; }
};

class Stage {
 public:
  virtual ~Stage() = default;

  // Takes the batch, emits to `out` what is to go on now. Records are the batch's: copy what is kept. Markers pass in order.
  virtual Result<Flow> consume(Batch& batch, Outlet& out) = 0;

  // As Outlet's, for this stage alone. A Wake that a stage opens or watches costs descriptors: only who waits for something does
  // so.
  virtual Result<void> attach(base::Wake& wake) {
    static_cast<void>(wake);
    return {};
  }

  // Emits what is due at `now`; never waits. The next time it wants to be called.
  virtual Result<Monotonic> nudge(Monotonic now, Outlet& out) {
    static_cast<void>(now), static_cast<void>(out);
    return base::kNever;
  }

  // Makes its own effects safe and emits what it holds; the chain then flushes what is below.
  virtual Result<Flushed> flush(Outlet& out, Monotonic deadline) {
    static_cast<void>(out), static_cast<void>(deadline);
    return Flushed::safe;
  }

  // The last call, exactly once, also after an error upstream or downstream: emits what is held, lets go of everything.
  // Returns by `deadline`, however far it got.
  virtual Result<void> finish(Outlet& out, Monotonic deadline) {
    static_cast<void>(out), static_cast<void>(deadline);
    return {};
  }

  // As Outlet's. Known from the start.
  [[nodiscard]] virtual base::Duration batch_wait() const { return 0; }

  // As Outlet's, of a stage that writes to somebody. From any thread.
  [[nodiscard]] virtual int reader_fd() const { return -1; }
  virtual Result<Flow> reader_left() { return Flow::more; }

  // True: from its first consume or nudge to the return of finish, this stage drives everything below it from a thread of its
  // own, also when nothing arrives; the chain nudges and flushes no further than to here.
  [[nodiscard]] virtual bool drives_below() const { return false; }

  // Whether it stores how far a tracked stream is done, in a file that the next start reads. After finish.
  [[nodiscard]] virtual bool keeps_positions() const { return false; }

  // On the thread that drives the chain. Kept up to the end of the latest consume, nudge, flush or finish.
  [[nodiscard]] virtual Counters counters() const { return {}; }
  [[nodiscard]] virtual std::string_view name() const = 0;

  // One sentence for the end of a run on stderr ("pushed 1,024 records, 3 rejected"), "" for nothing to say.
  [[nodiscard]] virtual std::string summary() const { return {}; }
};

class Source {
 public:
  virtual ~Source() = default;

  // Emits until its input ends, `out` says Flow::done, or `stop` is raised (sources fed by a pipe read on until end of file or
  // stop.deadline()). Waits for out.reader_fd() and out.wake_fd() as well. Calls out.nudge() when idle, when a deadline it returned
  // has come, and when out.wake_fd() is readable. Does not call finish.
  virtual Result<void> run(Outlet& out, base::Stop& stop) = 0;

  // Whether its stream is tracked: what was not done when the chain ended comes again at the next start, if positions are kept.
  // After run.
  [[nodiscard]] virtual bool is_tracked() const { return false; }
  // As a stage's.
  [[nodiscard]] virtual bool keeps_positions() const { return false; }

  // As a stage's, kept up to the latest record that was emitted.
  [[nodiscard]] virtual Counters counters() const { return {}; }
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string summary() const { return {}; }
};

// What every stage is made with. Outlives the chain.
struct Context {
  base::Clock* clock = nullptr;
  base::Diagnostics* diagnostics = nullptr;
  base::Stop* stop = nullptr;
  // The environment, so that libraries do not read the process's own: value or nullptr.
  const char* (*environment)(const char* name) = nullptr;
  // Where what is counted can be read while the chain runs; null where nobody reads.
  metrics::Registry* metrics = nullptr;
  // Of the thread that calls the stage, and of the thread that the stage starts for what is below it (drives_below). The stage
  // gives its blocks `driver`, names its waits to it, and begins and ends `driver_below` on that thread. Null without `metrics`.
  metrics::Driver* driver = nullptr;
  metrics::Driver* driver_below = nullptr;
  // A start with configuration that cannot be used fails, also where what was used last could be (`run --strict`).
  bool strict_start = false;
};

}  // namespace weir::pipeline
