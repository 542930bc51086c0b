// What the writer of a metric query that does not parse probably meant: a range that is missing, a function of PromQL, a number
// where a selector belongs. A part of advice.h.
#pragma once

#include "logql/advice.h"
#include "logql/parser.h"

#include <string_view>

namespace weir::logql {

[[nodiscard]] Advice advise_on_metrics(std::string_view query, const ParseError& error);

}  // namespace weir::logql
