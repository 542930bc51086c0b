// The line on a terminal that says how far something long has come:
//
//   weir tail: read 43%, 1,234,567 records, 1.2 GiB, 98.0 MiB/s, 12s left
//
// It appears after two seconds, changes four times a second and is gone at the end. Where there is no terminal, nothing is computed
// at all: not even the clock is read. Where it may be shown and how it gets out of the way of other text belongs to
// base::Diagnostics.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::show {

// What is known at one moment. All of it counts from the beginning; what is 0 or empty is left out of the line.
struct Amount {
  std::uint64_t records = 0, bytes = 0;
  // How much of the whole is done, in any unit. `all` is 0 where the whole is not known; it may change.
  std::uint64_t done = 0, all = 0;
  std::string also = {};  // comes last: "3 rejected"
};

// How fast something goes: over the last ten to twenty seconds, so that a rate that has changed shows.
class Pace {
 public:
  void begin(base::Monotonic now, std::uint64_t value = 0);
  void note(base::Monotonic now, std::uint64_t value);
  // In a second, at the latest note(); nothing before time has passed.
  [[nodiscard]] std::optional<double> per_second() const;

 private:
  struct Mark {
    base::Monotonic at = 0;
    std::uint64_t value = 0;
  };
  std::array<Mark, 2> marks_;  // what is measured from, and what will be after it
  Mark latest_;
};

// The line without the prefix of its command. `left`: nothing where it is not known; then `elapsed` is said.
[[nodiscard]] std::string progress_text(std::string_view verb, const Amount& amount, std::optional<double> bytes_per_second,
                                        std::optional<base::Duration> left, base::Duration elapsed);

// Not thread safe. `diagnostics` and `clock` outlive it.
class Progress {
 public:
  static constexpr base::Duration kFirst = 2 * base::kSecond, kEvery = 250 * base::kMillisecond;

  // `verb`: what was done with the records, "read". `first`: how long nothing is shown.
  Progress(std::string_view verb, base::Diagnostics& diagnostics, const base::Clock& clock, base::Duration first = kFirst);
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // False where nothing is ever shown: what only progress needs is not worth its cost.
  [[nodiscard]] bool on() const { return diagnostics_ != nullptr; }
  // For each batch, and for each turn of a wait: whether it is time for show(). The first call starts the time.
  [[nodiscard]] bool due() { return on() && is_due(); }
  void show(const Amount& amount);
  // When due() is true next, for who waits meanwhile. base::kNever where nothing is shown or nothing has begun.
  [[nodiscard]] base::Monotonic next() const { return on() && begun_ ? next_ : base::kNever; }
  // Takes the line away. What is shown afterwards begins anew.
  void end();

 private:
  [[nodiscard]] bool is_due();

  base::Diagnostics* const diagnostics_;
  const base::Clock& clock_;
  const std::string verb_;
  const base::Duration first_;
  bool begun_ = false, shown_ = false;
  base::Monotonic start_ = 0, next_ = 0;
  Pace bytes_, done_;
};

}  // namespace weir::show
