// --since, --from and --to of tail, replay and query: which records are meant by their time.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/time_range.h"

#include <optional>
#include <string>
#include <utility>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace weir::cli {

// A time as people write it (record::parse_time), which may depend on the present time: `15m` means 15 minutes ago, `10:00` the
// latest 10:00 that has passed.
class TimePoint {
 public:
  // Code::usage; needs no clock.
  static base::Result<TimePoint> parse(const std::string& text);
  [[nodiscard]] base::Timestamp at(base::Timestamp now) const;
  [[nodiscard]] bool is_time_of_day() const;

 private:
  explicit TimePoint(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// `value` must outlive the parse.
CLI::Option* add_time(CLI::App& app, const std::string& names, std::optional<TimePoint>& value, const std::string& what);

struct TimeFlags {
  std::optional<TimePoint> since = {}, from = {}, to = {};
  [[nodiscard]] bool given() const { return since || from || to; }
};

// `flags` must outlive the parse. `default_since` is only named in the help text ("1h"); "" says that all times are meant.
void declare_time(CLI::App& app, TimeFlags& flags, const std::string& default_since);

// What needs no clock: --since together with --from is an error (Code::usage).
base::Result<void> check(const TimeFlags& flags);

// Relative times count from `now`. The same errors, and an empty range is one, too.
// A time of day means the latest one that has passed. If that lies before the beginning, --to means the next one after the
// beginning. Without --from and --since the range begins at TimeRange::kBeginning, without --to it ends at kForever.
base::Result<base::TimeRange> time_range(const TimeFlags& flags, base::Timestamp now);

}  // namespace weir::cli
