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
    if (options.at) return fail(Code::usage, "--at belongs to --rules").with_hint("a query takes --from and --to");
    return {};
  }
  if (context.words || context.selection) {
    return fail(Code::usage, "--rules takes no query beside it").with_hint("the expressions of the rules say what they select");
  }
  if (!context.spool) {
    return fail(Code::usage, "--rules needs a spool or records on standard input")
        .with_hint("weir query --rules FILE --spool SPOOL, or --stdin; Loki's own ruler evaluates them in Loki");
  }
  if (options.at && context.to_given) return fail(Code::usage, "--at and --to both say when").with_hint("leave one of them out");
  return {};
}

stages::RulesQuestion rules_question(const QueryRulesOptions& options, const base::TimeRange& range,
                                     std::vector<std::string> spools, bool json, base::Timestamp now) {
  stages::RulesQuestion question{.files = options.files, .spools = std::move(spools), .at = {}, .range = range, .json = json};
  if (options.at) {
    question.at = options.at->at(now);
  } else if (range.to != base::TimeRange::kForever) {
    question.at = range.to;
  }
  return question;
}

}  // namespace weir::cli
