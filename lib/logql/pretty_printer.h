// Queries as text for people, as Loki's /loki/api/v1/format_query prints them: what is longer than 100 bytes is spread over several
// lines, each of its parts two blanks further in.
//
//   sum by (app)(
//     rate(
//       {namespace="shop", pod=~"checkout-.*"}
//         |= "timeout"
//         | json [5m]
//     )
//   )
//
// Reading the text gives the same tree again. Where Loki's own text would not (it leaves out parentheses, `or` of line filters,
// and `by ()`), those are there.
#pragma once

#include "logql/ast.h"

#include <string>

namespace weir::logql {

[[nodiscard]] std::string print_pretty(const Expr& expr);

}  // namespace weir::logql
