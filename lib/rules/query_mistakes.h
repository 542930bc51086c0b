// What messages say about the log query of a rule when it does not parse or compile: the mistakes that people who write rules make,
// and LogQL's own advice. The offsets of the mistakes are bytes from the beginning of the query. A right rule only pays for
// words_that_are_no_query().
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "logql/parser.h"
#include "rules/mistake.h"
#include "rules/rule.h"

#include <functional>
#include <optional>
#include <string_view>

namespace weir::rules {

// The rule that a query belongs to.
struct RuleOfQuery {
  const Action& action;
  std::string_view front;                              // the line up to the query, without blanks around it
  std::optional<base::Timestamp> now;                  // for times that hints propose
  std::function<bool(std::string_view line)> is_rule;  // whether a line parses; hints propose no other
};

// What people write where a query is expected, and no query begins with: `drop all`, `drop if …`. `text` has no blanks around it.
[[nodiscard]] std::optional<Mistake> words_that_are_no_query(const Action& action, std::string_view text);

// About a query that LogQL's parser refuses with `error`.
[[nodiscard]] Mistake query_that_does_not_parse(const RuleOfQuery& rule, std::string_view text, const logql::ParseError& error);

// About a query that parses and that logql::LogQuery refuses with `error`.
[[nodiscard]] Mistake query_that_does_not_compile(const base::Error& error);

}  // namespace weir::rules
