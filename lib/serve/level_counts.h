// How many records of each level there are in each part of a time: the histogram of the page.
#pragma once

#include "base/time_range.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::serve {

// Not thread safe.
class LevelCounts {
 public:
  // At most `most` parts and one, of a round length, which begin at its multiples. 0: nothing is counted.
  LevelCounts(const base::TimeRange& range, std::size_t most);

  [[nodiscard]] bool counts() const { return step_ > 0; }
  [[nodiscard]] base::Duration step() const { return step_; }
  void add(std::string_view level, base::Timestamp time, std::uint64_t count = 1);
  void clear() { levels_.clear(); }
  // What another one for the same range and parts has counted.
  void add(const LevelCounts& other);

  // Of each count the larger one of both. The other one has the same range and parts.
  void raise(const LevelCounts& other);

  // {"type":"histogram",…} as view.h has it, without a line end.
  [[nodiscard]] std::string json(bool partial = false) const;

 private:
  std::vector<std::uint64_t>& of(std::string_view level);

  base::Timestamp start_ = 0;
  base::Duration step_ = 0;
  std::size_t parts_ = 0;
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> levels_;
};

}  // namespace weir::serve
