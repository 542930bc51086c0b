// -n, -p and -c of tail, replay and query: which namespaces, pods and containers.
//
// Each may be repeated, any of its values matches; of several options all must match. A value is a glob (`*`, `?`, `[a-z]`,
// `[!a-z]`); a pod's value without any of these also takes the pods of a workload: `web` means `web` and `web-…`.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "record/label_set.h"

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

struct Selection {
  std::vector<std::string> namespaces = {}, pods = {}, containers = {};

  [[nodiscard]] bool empty() const { return namespaces.empty() && pods.empty() && containers.empty(); }

  // By the labels `namespace`, `pod` and `container`. Safe to call from any thread.
  [[nodiscard]] bool matches(const record::LabelSet& labels) const;
  [[nodiscard]] bool matches(std::string_view name_space, std::string_view pod, std::string_view container) const;

  // The same as matchers of a stream selector: `namespace="shop"`, `pod=~"web(-.*)?"`; none when empty.
  [[nodiscard]] std::vector<logql::MatcherExpr> matchers() const;

  // A query that asks for both: the matchers join every stream selector of `logql`, and stand in front of a log query that has none. The
  // text itself when empty; otherwise a text that does not parse is an error (config).
  [[nodiscard]] base::Result<std::string> narrow(std::string_view logql) const;
};

// `selection` must outlive the parse.
void declare_selection(CLI::App& app, Selection& selection);

}  // namespace weir::cli
