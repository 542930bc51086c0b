#include "cli/query_rules_options.h"

#include <CLI/CLI.hpp>

#include <utility>

namespace weir::cli {

using base::Code;
using base::fail;
using base::Result;

void declare(CLI::App& app, QueryRulesOptions& options) {
  app.add_option("--rules", options.files,
                 "evaluate the alerting and recording rules of FILE, made for Loki's ruler, over a spool or --stdin (repeatable)")
      ->type_name("FILE");
  add_time(app, "--at", options.at, "for --rules: the time of the evaluation (default: that of the newest record)");
}

Result<void> check(const QueryRulesOptions& options, const QueryRulesContext& context) {
  if (!options.given()) {
    if (options.at) return fail(Code::usage, "cannot take --at without --rules").with_hint("a query takes --from and --to");
    return {};
  }
  if (context.words || context.selection) {
    return fail(Code::usage, "cannot take a query beside --rules").with_hint("the expressions of the rules say what they select");
  }
  if (!context.spool) {
    return fail(Code::usage, "cannot evaluate --rules without a spool or records on standard input")
        .with_hint("weir query --rules FILE --spool SPOOL, or --stdin; Loki's own ruler evaluates them in Loki");
  }
  if (static_cast<int>(options.at.has_value()) + static_cast<int>(context.to_given) + static_cast<int>(context.now_given) > 1) {
    return fail(Code::usage, "cannot take two of --at, --now and --to with --rules")
        .with_hint("each of them says when the rules are evaluated");
  }
  return {};
}

Result<void> set_times(stages::RulesQuestion& question, const QueryRulesOptions& options, const TimeFlags& time,
                       const std::optional<TimePoint>& now, const base::Clock& clock) {
  const std::optional<TimePoint>& when = options.at ? options.at : now ? now : time.to;
  if (when) {
    question.at = when->at(clock.wall());
  } else {
    auto newest = stages::rules_time(question, clock);
    if (!newest) return std::move(newest).error();
    question.at = *newest;
  }
  auto range = time_range({.since = time.since, .from = time.from}, *question.at);
  if (!range) return std::move(range).error();
  question.range = *range;
  return {};
}

}  // namespace weir::cli
