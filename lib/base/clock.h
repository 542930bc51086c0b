// Time. Everything that asks for the time or computes a deadline gets a Clock, so that tests can set it.
#pragma once

#include <cstdint>
#include <limits>

namespace weir::base {

using Timestamp = std::int64_t;  // nanoseconds since 1970-01-01T00:00:00Z, as in Loki
using Monotonic = std::int64_t;  // nanoseconds of a clock that never jumps; only differences mean something
using Duration = std::int64_t;   // nanoseconds

inline constexpr Monotonic kNever = std::numeric_limits<Monotonic>::max();
inline constexpr Duration kMillisecond = 1'000'000;
inline constexpr Duration kSecond = 1'000'000'000;
inline constexpr Duration kMinute = 60 * kSecond;
inline constexpr Duration kHour = 60 * kMinute;

// Methods may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp wall() const = 0;
  [[nodiscard]] virtual Monotonic monotonic() const = 0;

  static Clock& system();  // the real one; lives as long as the process
};

// A deadline `wait` from `now`, saturating at kNever.
[[nodiscard]] inline Monotonic after(Monotonic now, Duration wait) { return wait >= kNever - now ? kNever : now + wait; }

// Milliseconds for poll(2) until `deadline`: rounded up, at least 0, -1 for kNever.
[[nodiscard]] int poll_timeout(Monotonic now, Monotonic deadline);

}  // namespace weir::base
