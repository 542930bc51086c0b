#include "logql/rewrite.h"

namespace weir::logql {
namespace {

struct Narrower {
  const std::vector<MatcherExpr>& matchers;

  void each(std::vector<Expr>& exprs) const {
    for (Expr& expr : exprs) std::visit(*this, expr.node);
  }
  void operator()(LogExpr& log) const { log.matchers.insert(log.matchers.begin(), matchers.begin(), matchers.end()); }
  void operator()(RangeAggregation& range) const { (*this)(range.range.log); }
  void operator()(VectorAggregation& vector) const { each(vector.inner); }
  void operator()(BinaryOperation& operation) const { each(operation.legs); }
  void operator()(Literal&) const {}
  void operator()(LabelReplace& replace) const { each(replace.inner); }
  void operator()(VectorLiteral&) const {}
  // The variants repeat the range that they are of.
  void operator()(Variants& variants) const {
    each(variants.variants);
    (*this)(variants.range.log);
  }
};

}  // namespace

void narrow(Expr& expr, const std::vector<MatcherExpr>& matchers) { std::visit(Narrower{matchers}, expr.node); }

}  // namespace weir::logql
