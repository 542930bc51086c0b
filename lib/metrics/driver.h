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
// once a second while batches flow, so that there is a fresh copy when the thread gets blocked. They are made under the registry's
// lock, for some microseconds. Readers see the copies until the block goes, also after end(): what is counted then, while the
// stages finish, is seen with the next end().
//
// Locks: the registry's first, then the `writers` of a block. Who holds such a lock declares no cell, raises no trouble and makes
// no copy. Collectors run without a lock.
//
// In a chain without a registry there is no driver.
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
  drain,   // the thread that drives what is behind a buffer, at the end of a chain
  pods,    // the pods of records, which the API server has not told yet
};
[[nodiscard]] std::string_view name_of(On on);

class Driver {
 public:
  // The registry and the clock outlive it. `name`: "chain", "drain". Where another driver has the name, the smallest number that
  // makes it unique stands behind it: "chain 2".
  Driver(Registry& registry, base::Clock& clock, std::string_view name);
  // After its blocks. What it has waited for stays in the registry's totals.
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

  // On the driving thread, before its first batch. `wake` is rung when somebody asks for a fresh copy; it is open, and outlives
  // end(). Again: from now on the other `wake` is rung.
  void begin(const base::Wake& wake);
  // A last copy, on the driving thread after its last batch, or on another one when that has ended. Nobody is rung any more. May be
  // called again, for a later copy.
  void end();

  // On the driving thread, between two batches, when the books of all its stages balance. Costs two loads and a store when nobody
  // has asked.
  void turn(base::Monotonic now) {
    moved_at_.store(now);
    answer(now);
  }
  // The same from within a Wait, by a stage that waits while the books of all stages of this thread balance.
  void answer(base::Monotonic now) {
    const std::uint64_t asked = registry_.asked_.load(std::memory_order_acquire);
    if (asked != answered_ || now >= copy_at_) copy(asked, now);
  }
  // On the driving thread, before something that may block it: as turn(), but whoever has asked is not answered yet, because what
  // follows may count more.
  void keep(base::Monotonic now) {
    if (now >= copy_at_) copy(answered_, now);
  }

  // `collect` is called on the driving thread before a copy that somebody asked for: for gauges that cost something to find, such
  // as the size of a file. Before begin(). It lives as long as the driver.
  void on_ask(std::function<void()> collect) { collectors_.push_back(std::move(collect)); }

 private:
  friend class Block;
  friend class Registry;
  friend class Wait;
  static constexpr std::size_t kWaits = 9;
  static constexpr std::int8_t kNone = -1;

  void copy(std::uint64_t asked, base::Monotonic now);
  void account(base::Monotonic now);
  // The rest with the registry's lock held.
  void copy_blocks();
  void ring() const;
  [[nodiscard]] bool has_answered(std::uint64_t asked) const { return !runs_ || shown_answer_ >= asked; }
  [[nodiscard]] Registry::DriverState state() const;
  void fold(Registry::Samples& into) const;

  // What a Wait writes, at one moment.
  struct Waited {
    std::int8_t on = kNone;
    base::Monotonic now = 0;    // when this was so
    base::Monotonic began = 0;  // of the wait; one within it does not end it
    base::Monotonic moved = 0;
    std::array<std::uint64_t, kWaits> past = {};
  };
  // From any thread. `past` is with what the wait at hand took so far.
  [[nodiscard]] Waited waited() const;

  Registry& registry_;
  base::Clock& clock_;
  std::string name_;
  std::vector<std::function<void()>> collectors_;

  // For the driving thread.
  std::uint64_t answered_ = 0;
  base::Monotonic copy_at_ = 0;

  // Written by the driving thread. `version_` is odd while a Wait begins or ends; a reader takes what it read between two equal
  // even ones.
  std::atomic<std::uint32_t> version_{0};
  std::atomic<base::Monotonic> moved_at_{0};
  std::atomic<std::int8_t> waits_on_{kNone};
  std::atomic<base::Monotonic> began_at_{0};  // of the Wait at hand
  std::atomic<base::Duration> least_{0};
  std::array<std::atomic<std::uint64_t>, kWaits> waited_{};  // nanoseconds of the waits that are over, by On

  // Guarded by the registry's mutex.
  const base::Wake* wake_ = nullptr;
  bool runs_ = false;
  std::uint64_t shown_answer_ = 0;
  base::Monotonic copied_at_ = 0;
};

// What mostly is work, such as reading a file, counts as a wait only where it takes so long.
inline constexpr base::Duration kLongRead = 100 * base::kMillisecond;

// The thread of `driver` (null: nothing happens) waits for `on` as long as this lives. Waits may nest; the inner one counts. What
// takes less than `least` is not counted, but named while it lasts. Costs two looks at the clock.
class Wait {
 public:
  Wait(Driver* driver, On on, base::Duration least = 0);
  ~Wait();
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 private:
  Driver* const driver_;
  std::int8_t outer_ = Driver::kNone;
  base::Monotonic outer_began_ = 0;
  base::Duration outer_least_ = 0;
};

}  // namespace weir::metrics
