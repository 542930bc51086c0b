// -n, -p and -c of tail, replay and query: which namespaces, pods and containers (tail/selection.h), also as LogQL.
//
// Each may be repeated, any of its values matches; of several options all must match.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "tail/selection.h"

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

// `selection` must outlive the parse.
void declare_selection(CLI::App& app, tail::Selection& selection);

// What is asked for, as matchers of a stream selector: `namespace="shop"`, `pod=~"web(-.*)?"`; none when nothing is. What is
// excluded is left out.
[[nodiscard]] std::vector<logql::MatcherExpr> matchers(const tail::Selection& selection);

// A query that asks for both: the matchers join every stream selector of `logql`, and stand in front of a log query that has none.
// The text itself when nothing is selected; otherwise a text that does not parse is an error (config).
[[nodiscard]] base::Result<std::string> narrow(const tail::Selection& selection, std::string_view logql);

}  // namespace weir::cli
