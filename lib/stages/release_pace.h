// How fast buffer copies what a release asks for (spool/release.h): a decision as a value without clock or file.
//
// Live records go first. So a block is copied only when everything that was stored before it has been passed on, and blocks come at
// the rate at which push delivers a backlog. A commit that takes long says that the disk has other work: then the next one waits
// many times as long.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <cstdint>

namespace weir::stages {

class ReleasePace {
 public:
  static constexpr base::Duration kSlow = 2 * base::kSecond;
  static constexpr int kRest = 10;                                  // times as long as a slow commit took
  static constexpr base::Duration kTryAgain = 10 * base::kSecond;   // after a spool without room
  static constexpr base::Duration kCheckEvery = base::kSecond / 5;  // while others go first

  // `rate`: bytes a second; 0: no limit.
  explicit ReleasePace(std::uint64_t rate) : rate_(rate) {}

  // A block with so many bytes of lines was copied; that took `took`, and ended at `now`.
  void copied(std::uint64_t bytes, base::Duration took, base::Monotonic now) {
    base::Duration wait = 0;
    if (rate_ > 0) {
      const double seconds = static_cast<double>(bytes) / static_cast<double>(rate_);
      wait = static_cast<base::Duration>(std::min(seconds, 3600.0) * static_cast<double>(base::kSecond)) - took;
    }
    if (took > kSlow) wait = std::max(wait, took * kRest);
    due_ = base::after(now, std::max<base::Duration>(wait, 0));
  }
  void no_room(base::Monotonic now) { due_ = base::after(now, kTryAgain); }
  void others_first(base::Monotonic now) { due_ = base::after(now, kCheckEvery); }

  // When the next block may be copied.
  [[nodiscard]] base::Monotonic due() const { return due_; }

 private:
  std::uint64_t rate_;
  base::Monotonic due_ = 0;
};

}  // namespace weir::stages
