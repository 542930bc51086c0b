#include "logql/matcher.h"

#include <algorithm>

namespace weir::logql {

base::Result<Matcher> Matcher::compile(const MatcherExpr& expr) {
  Matcher matcher(expr);
  if (expr.op == MatchOp::regex || expr.op == MatchOp::not_regex) {
    auto regex = gotext::Regex::compile(expr.value, gotext::Regex::Mode::anchored_all);
    if (!regex) return std::move(regex).error();
    matcher.regex_ = std::move(*regex);
  }
  return matcher;
}

bool Matcher::matches(std::string_view value) const {
  switch (op_) {
    case MatchOp::equal:
      return value == value_;
    case MatchOp::not_equal:
      return value != value_;
    case MatchOp::regex:
      return regex_->matches(value);
    case MatchOp::not_regex:
      return !regex_->matches(value);
  }
  return false;
}

base::Result<Selector> Selector::compile(const std::vector<MatcherExpr>& exprs) {
  Selector selector;
  for (const MatcherExpr& expr : exprs) {
    auto matcher = Matcher::compile(expr);
    if (!matcher) return std::move(matcher).error();
    selector.matchers_.push_back(std::move(*matcher));
  }
  return selector;
}

bool Selector::matches(const record::LabelSet& labels) const {
  return std::all_of(matchers_.begin(), matchers_.end(),
                     [&](const Matcher& matcher) { return matcher.matches(labels.get(matcher.name())); });
}

}  // namespace weir::logql
