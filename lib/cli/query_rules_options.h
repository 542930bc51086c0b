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
};
// Code::usage where they do not go together.
[[nodiscard]] base::Result<void> check(const QueryRulesOptions& options, const QueryRulesContext& context);

// The question. `range`: that of --since, --from and --to, of which the end is the time asked about where --at says none.
[[nodiscard]] stages::RulesQuestion rules_question(const QueryRulesOptions& options, const base::TimeRange& range,
                                                   std::vector<std::string> spools, bool json, base::Timestamp now);

}  // namespace weir::cli
