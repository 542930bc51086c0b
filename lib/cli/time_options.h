// --since, --from and --to of tail, replay and query: which records are meant by their time.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <limits>
#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

struct TimeFlags {
  std::string since = {}, from = {}, to = {};
  [[nodiscard]] bool given() const { return !since.empty() || !from.empty() || !to.empty(); }
};

// Half open, as in Loki: from <= timestamp < to.
struct TimeRange {
  static constexpr base::Timestamp kBeginning = std::numeric_limits<base::Timestamp>::min();
  static constexpr base::Timestamp kForever = std::numeric_limits<base::Timestamp>::max();
  base::Timestamp from = kBeginning;
  base::Timestamp to = kForever;
  [[nodiscard]] bool contains(base::Timestamp time) const { return time >= from && time < to; }
};

// `flags` must outlive the parse. `default_since` is only named in the help text ("1h"); "" says that all times are meant.
void declare_time(CLI::App& app, TimeFlags& flags, const std::string& default_since);

// Relative times count from `now`. --since together with --from is an error (Code::usage), as is an empty range.
// A time of day is the latest one that was, as --to where that is before the beginning the one after it.
// Without --from and --since the range begins at kBeginning, without --to it ends at kForever.
base::Result<TimeRange> time_range(const TimeFlags& flags, base::Timestamp now);

}  // namespace weir::cli
