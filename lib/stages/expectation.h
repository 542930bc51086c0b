// How many records somebody expects: `weir query --expect`, for CI.
//
//   exactly N    met when N are there, and the next look at all there is finds no more; missed at the first above N
//   at least N   met as soon as N are there
//   at most N    missed at the first above N; met when the time is over, because one more may come until then
//
// Without a time to wait all of them are decided by what is there.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <limits>
#include <string>

namespace weir::stages {

// Not thread safe. Belongs to whoever needs the verdict, and outlives the source that counts.
class Expectation {
 public:
  struct Bounds {
    static constexpr std::uint64_t kNoMost = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t least = 0;
    std::uint64_t most = kNoMost;
  };
  enum class Verdict : std::uint8_t { open, met, missed };

  Expectation() = default;
  Expectation(const Bounds& bounds, base::Duration wait) : bounds_(bounds), wait_(wait) {}

  [[nodiscard]] base::Duration wait() const { return wait_; }
  void add(std::uint64_t records) { found_ += records; }
  [[nodiscard]] std::uint64_t found() const { return found_; }
  // How many more records decide the verdict whatever comes behind them: the last of them is one too many.
  [[nodiscard]] std::uint64_t room() const {
    return found_ > bounds_.most ? 0 : bounds_.most - found_ + (bounds_.most < Bounds::kNoMost ? 1 : 0);
  }
  // More than expected: whatever comes, the verdict is known.
  [[nodiscard]] bool exceeded() const { return found_ > bounds_.most; }
  // To be called after each look at all there is. `over`: there will be no other look.
  Verdict judge(bool over);
  [[nodiscard]] Verdict verdict() const { return verdict_; }

  // One line: "expected at least 3 records, found 2 in 30s".
  [[nodiscard]] std::string text() const;

 private:
  Bounds bounds_;
  base::Duration wait_ = 0;
  std::uint64_t found_ = 0;
  std::uint64_t found_before_ = Bounds::kNoMost;  // at the latest look
  Verdict verdict_ = Verdict::open;
};

}  // namespace weir::stages
