// The arithmetic of `limit`: record time is cut into windows of equal length, and each takes up to `burst`. A window is burst /
// rate long, so that windows that are all full make the rate. What counts is a record's own time, so the order in which records
// arrive changes which of them pass, and never how many.
#pragma once

#include "rules/aging_table.h"
#include "rules/rule.h"

namespace weir::rules {

// `a` divided by `b` > 0, rounded down.
[[nodiscard]] constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct Window {
  std::int64_t index = 0;
  base::Timestamp begin = 0, end = 0;  // [begin, end); at the ends of time they stay within the type
  friend bool operator==(const Window&, const Window&) = default;
};

// The windows of one `limit`. Immutable.
class RateWindows {
 public:
  explicit RateWindows(const Limit& limit);

  [[nodiscard]] base::Duration length() const { return length_; }

  // The window that a record counts in. One that begins more than kAhead after `now`, the wall clock, counts as now: a wrong clock
  // shall not get a window of its own for each record.
  static constexpr base::Duration kAhead = 10 * base::kSecond;
  [[nodiscard]] Window at(base::Timestamp time, base::Timestamp now) const;

  // Counts `size` in the window of `key`. False: there is no room left. What is larger than a whole window passes when it is the
  // first there, because otherwise it never could.
  bool admit(AgingTable& table, const base::Hash128& key, const Window& window, std::uint64_t size) const;

 private:
  [[nodiscard]] Window window(std::int64_t index) const;
  base::Duration length_;
  std::int64_t burst_;
};

}  // namespace weir::rules
