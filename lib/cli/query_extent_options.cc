#include "cli/query_extent_options.h"

#include "cli/value_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

void declare(CLI::App& app, QueryExtentOptions& options) {
  add_number(app, "--limit", options.limit, "at most N records, 0 for all (default: all in jsonl and csv, else 1000)");
  app.add_flag("--forward", options.forward, "with a limit, take the oldest records instead of the newest");
  add_duration(app, "--step", options.step, "time between the points of a metric query (default: a 250th of the time)",
               {.least = base::kMillisecond});
}

}  // namespace weir::cli
