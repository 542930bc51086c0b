// When held records are not stored, because the disk is too slow for them: a decision as a value without clock or file.
//
// A commit that takes over 2 s shows that the disk does not keep up. Held records give way first, because nobody waits for them:
// for the next 30 s they are shed and counted. Then they are stored again, until another commit is slow.
#pragma once

#include "base/clock.h"

namespace weir::stages {

class HoldRelief {
 public:
  static constexpr base::Duration kSlow = 2 * base::kSecond;
  static constexpr base::Duration kPause = 30 * base::kSecond;

  // A commit ended at `now` and took so long. True: held records are shed from now on, and were not before.
  bool committed(base::Duration took, base::Monotonic now) {
    if (took <= kSlow) return false;
    const bool begins = !sheds(now);
    until_ = base::after(now, kPause);
    return begins;
  }

  [[nodiscard]] bool sheds(base::Monotonic now) const { return now < until_; }

 private:
  base::Monotonic until_ = 0;
};

}  // namespace weir::stages
