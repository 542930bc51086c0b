// A thread that drives stages, as others see it: the copies of what its stages have counted, and whether it moves.
//
// The thread is in one of these states:
//
//   working   it moves records, or computes; it turns between two batches
//   waiting   it is inside a Wait, which names what it waits for: that is no fault, however long it takes
//   ended     end() was called, or begin() was not yet
//
// A thread that is working and has neither turned nor entered or left a Wait for 30 s hangs: /-/healthy says so.
//
// Copies: between two batches, turn() copies the cells of the driver's blocks where somebody has asked (Registry::ask), and
// once a second while batches flow, so that there is a fresh copy when the thread gets blocked. Nobody waits for the thread's lock:
// the copies are made under the registry's, for some microseconds. In a chain without a registry there is no driver.
#pragma once

#include "base/clock.h"
#include "base/wake.h"
#include "metrics/registry.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::metrics {

// What a thread waits for: the label `on` of weir_blocked_seconds_total.
enum class On : std::uint8_t {
  input,   // the next records: an idle chain. Is no blockage, and not counted as one
  disk,    // a read, a commit, an fsync
  room,    // room in a full spool or on a full disk
  loki,    // an answer of Loki, or the time to ask again
  output,  // the reader of a pipe
  lock,    // a lock of another process
  pace,    // a rate that was asked for
};
[[nodiscard]] std::string_view name_of(On on);

class Driver {
 public:
  // The registry and the clock outlive it. `name`: "chain", "drain".
  Driver(Registry& registry, base::Clock& clock, std::string_view name);
  // After its blocks. What it has waited for stays in the registry's totals.
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // On the driving thread, before its first batch. `wake` is rung when somebody asks for a fresh copy; it is open, and outlives
  // end().
  void begin(const base::Wake& wake);
  // On the driving thread, after its last batch: a last copy. From then on readers get the cells themselves.
  void end();

  // On the driving thread, between two batches, when the books of all its stages balance. Costs two loads and a store when nobody
  // has asked.
  void turn(base::Monotonic now) {
    moved_at_.store(now, std::memory_order_relaxed);
    const std::uint64_t asked = registry_.asked_.load(std::memory_order_acquire);
    if (asked != answered_ || now >= copy_at_) copy(asked, now);
  }

  // `collect` is called on the driving thread before a copy that somebody asked for: for gauges that cost something to find, such
  // as the size of a file. Before begin(). It lives as long as the driver.
  void on_ask(std::function<void()> collect) { collectors_.push_back(std::move(collect)); }

 private:
  friend class Registry;
  friend class Wait;
  static constexpr std::size_t kWaits = 7;
  static constexpr std::int8_t kNone = -1;

  void copy(std::uint64_t asked, base::Monotonic now);
  // With the registry's lock held.
  void ring() const;
  [[nodiscard]] bool has_answered(std::uint64_t asked) const { return !runs_ || shown_answer_ >= asked; }
  [[nodiscard]] Registry::DriverState state() const;
  void fold(Registry::Samples& into) const;

  Registry& registry_;
  base::Clock& clock_;
  const std::string name_;
  std::vector<std::function<void()>> collectors_;

  // For the driving thread.
  std::uint64_t answered_ = 0;
  base::Monotonic copy_at_ = 0;

  // Written by the driving thread.
  std::atomic<base::Monotonic> moved_at_{0};
  std::atomic<std::int8_t> waits_on_{kNone};
  std::array<std::atomic<std::uint64_t>, kWaits> waited_{};  // nanoseconds of the waits that are over, by On

  // Guarded by the registry's mutex.
  const base::Wake* wake_ = nullptr;
  bool runs_ = false;
  std::uint64_t shown_answer_ = 0;
  base::Monotonic copied_at_ = 0;
};

// The thread of `driver` (null: nothing happens) waits for `on` as long as this lives. Waits may nest; the inner one counts.
class Wait {
 public:
  Wait(Driver* driver, On on);
  ~Wait();
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 private:
  void account(base::Monotonic now) const;
  Driver* const driver_;
  std::int8_t outer_ = Driver::kNone;
};

}  // namespace weir::metrics
