// The filters behind a pipe: `| level="error"`, `| status >= 500 and method="POST"`, `| addr=ip("10.0.0.0/8")`.
//
// A number, duration or size filter drops a record that lacks the label, and keeps one whose value it cannot read, with
// __error__ set: so Loki lets people see what they would lose.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "logql/scope.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// Immutable.
class LabelFilter {
 public:
  virtual ~LabelFilter() = default;
  [[nodiscard]] virtual bool test(Scope& scope) const = 0;

  // Errors have Code::parse and Loki's text.
  static base::Result<std::unique_ptr<LabelFilter>> compile(const LabelFilterExpr& expr);
};

class LabelFilterStage : public Stage {
 public:
  explicit LabelFilterStage(std::unique_ptr<LabelFilter> filter) : filter_(std::move(filter)) {}
  [[nodiscard]] bool process(Scope& scope) const override { return filter_->test(scope); }
  [[nodiscard]] const LabelFilter& filter() const { return *filter_; }

 private:
  std::unique_ptr<LabelFilter> filter_;
};

// Names of all labels a filter looks at.
void collect_names(const LabelFilterExpr& expr, std::vector<std::string>& names);

}  // namespace weir::logql
