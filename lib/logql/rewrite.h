// Changes to a parsed query. Apart from the change, the query keeps its meaning.
#pragma once

#include "logql/ast.h"

#include <vector>

namespace weir::logql {

// Puts the matchers in front of those of every stream selector in the query.
void narrow(Expr& expr, const std::vector<MatcherExpr>& matchers);

}  // namespace weir::logql
