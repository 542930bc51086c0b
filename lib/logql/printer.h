// Queries back to text, as Loki prints them, so that texts of equal queries are equal. What Loki would print with less than it
// read (sizes rounded to two digits, vectors to six) is printed exactly: parsing the text gives the same tree again.
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
