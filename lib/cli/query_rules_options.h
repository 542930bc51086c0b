// --rules and --at of `weir query`: which alerts would fire.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "cli/time_options.h"
#include "stages/rules_answer.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

struct QueryRulesOptions {
  std::vector<std::string> files;  // --rules
  std::optional<TimePoint> at;     // --at

  [[nodiscard]] bool given() const { return !files.empty(); }
};

// `options` must outlive the parse.
void declare(CLI::App& app, QueryRulesOptions& options);

// What stands beside them on the command line.
struct QueryRulesContext {
  bool words = false;      // a query
  bool selection = false;  // -n, -p, -c
  bool spool = false;      // --spool or --stdin
  bool to_given = false;
  bool now_given = false;
};
// Code::usage where they do not go together.
[[nodiscard]] base::Result<void> check(const QueryRulesOptions& options, const QueryRulesContext& context);

// The time asked about and the beginning. --at says when, or else --now or --to, or else the newest record of the spools of
// `question` does; --since and --from count back from there. Code::usage, and the errors of stages::rules_time().
[[nodiscard]] base::Result<void> set_times(stages::RulesQuestion& question, const QueryRulesOptions& options, const TimeFlags& time,
                                           const std::optional<TimePoint>& now, const base::Clock& clock);

}  // namespace weir::cli
