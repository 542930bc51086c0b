// Queries back to text, as Loki prints them, so that texts of equal queries are equal. Where Loki
// would round (sizes to two digits, vectors to six), the exact value is printed: parsing the text gives the same tree again.
#pragma once

#include "logql/ast.h"

#include <string>

namespace weir::logql {

[[nodiscard]] std::string print(const Expr& expr);
[[nodiscard]] std::string print(const LogExpr& expr);
[[nodiscard]] std::string print(const StageExpr& stage);  // `| json`, `|= "x"`
[[nodiscard]] std::string print(const LabelFilterExpr& filter);
[[nodiscard]] std::string print_selector(const std::vector<MatcherExpr>& matchers);  // `{a="b", c!="d"}`
[[nodiscard]] std::string print(const MatcherExpr& matcher);

}  // namespace weir::logql
