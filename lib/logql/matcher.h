// name="value" on stream labels, with the meaning of Prometheus: regular expressions are anchored and the dot matches a newline.
#pragma once

#include "base/result.h"
#include "gotext/regex.h"
#include "logql/ast.h"
#include "record/label_set.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// Immutable.
class Matcher {
 public:
  static base::Result<Matcher> compile(const MatcherExpr& expr);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool matches(std::string_view value) const;  // a label that is absent has the value ""

 private:
  Matcher(const MatcherExpr& expr) : name_(expr.name), value_(expr.value), op_(expr.op) {}
  std::string name_;
  std::string value_;
  MatchOp op_;
  std::optional<gotext::Regex> regex_;
};

// All matchers of a selector.
class Selector {
 public:
  static base::Result<Selector> compile(const std::vector<MatcherExpr>& exprs);
  [[nodiscard]] bool matches(const record::LabelSet& labels) const;
  [[nodiscard]] bool everything() const { return matchers_.empty(); }

 private:
  std::vector<Matcher> matchers_;
};

}  // namespace weir::logql
