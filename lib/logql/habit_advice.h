// What the writer of a query that does not parse probably meant, where the habit of another language shows: `in (…)`, `where`,
// `|=~`, a variable of Grafana; and signs that are too many. A part of advice.h. Where the query that is meant can be built, it is
// parsed before it is advised.
#pragma once

#include "logql/advice.h"
#include "logql/parser.h"

#include <string_view>

namespace weir::logql {

[[nodiscard]] Advice advise_on_habits(std::string_view query, const ParseError& error, const ParserOptions& options);

// The same for a template with a function that does not exist, which only compiling finds: "did you mean upper?".
[[nodiscard]] Advice advise_on_templates(std::string_view query, const ParseError& error);

}  // namespace weir::logql
