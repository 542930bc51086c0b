// Which of many have a row in a table of the worst, such as the logs that are furthest behind.
//
// The worst of now are in it, and those that were among them within the last 15 minutes, so that series do not flap and a graph
// shows how it ended.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace weir::metrics {

// Not thread safe.
class Worst {
 public:
  static constexpr base::Duration kStay = 15 * base::kMinute;
  static constexpr std::size_t kRowsForEach = 4;  // at most so many rows for each of the worst

  // `most`: how many are the worst.
  explicit Worst(std::size_t most) : most_(most) {}

  struct One {
    std::uint64_t id = 0;
    std::uint64_t value = 0;  // the greater, the worse; 0 is not bad at all
    friend bool operator==(const One&, const One&) = default;
  };
  // The rows of the table, the worst first. `all`: everybody who is there now, each id once. Who is not there has no row.
  [[nodiscard]] std::vector<One> choose(std::span<const One> all, base::Monotonic now);

 private:
  const std::size_t most_;
  std::map<std::uint64_t, base::Monotonic> members_;  // when each was last among the worst
};

}  // namespace weir::metrics
