// -n, -p and -c of tail, replay and query: which namespaces, pods and containers (tail/selection.h), also as LogQL.
//
// Each may be repeated, any of its values matches; of several options all must match.
#pragma once

#include "tail/selection.h"

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace weir::cli {

// `selection` must outlive the parse.
void declare_selection(CLI::App& app, tail::Selection& selection);

// What is asked for as LogQL matchers without braces: `namespace="shop",pod=~"web(-.*)?"`; "" when nothing is. What is excluded is
// left out.
[[nodiscard]] std::string matchers(const tail::Selection& selection);

// A log query that asks for both: the matchers join the stream selector with which `logql` begins, or stand in front of it when it
// begins with none.
[[nodiscard]] std::string narrow(const tail::Selection& selection, std::string_view logql);

}  // namespace weir::cli
