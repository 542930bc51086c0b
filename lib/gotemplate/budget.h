// The limit of what the stages of a query may make from one record. A template can multiply: nine times `replace "a"
// "aaaaaaaaaa"` would turn a line of 100 KB into terabytes. Loki has no such limit.
#pragma once

#include <cstddef>

namespace weir::gotemplate {

class Budget {
 public:
  static constexpr std::size_t kBytes = 32 << 20;  // four times the longest line that weir reads
  static constexpr std::size_t kRounds = 1'000'000;

  void renew() { *this = Budget(); }
  // Call it before making bytes. False: there is no room for them, and nothing is spent.
  [[nodiscard]] bool spend(std::size_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  [[nodiscard]] std::size_t left() const { return left_; }
  // One more round of a `range`. False: no rounds are left.
  [[nodiscard]] bool another_round() { return rounds_left_ > 0 && rounds_left_-- > 0; }

 private:
  std::size_t left_ = kBytes;
  std::size_t rounds_left_ = kRounds;
};

inline constexpr const char* kTooMuchText = "the stages of a query may make at most 32 MiB of text from one record";

}  // namespace weir::gotemplate
