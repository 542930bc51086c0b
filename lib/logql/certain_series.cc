#include "logql/certain_series.h"

#include "logql/series_labels.h"

#include <algorithm>
#include <variant>

namespace weir::logql {
namespace {

using record::Label;
using record::LabelSet;
using record::LabelSetRef;

// Of what is inside of an expression that keeps all series of it; null where there is none.
const Expr* inner_of(const Expr& expr) {
  if (const auto* sum = std::get_if<VectorAggregation>(&expr.node)) {
    const bool leaves_out = sum->function == "topk" || sum->function == "bottomk" || sum->function == "approx_topk";
    return leaves_out ? nullptr : &sum->inner.front();
  }
  const auto* operation = std::get_if<BinaryOperation>(&expr.node);
  if (operation == nullptr || is_set_operation(operation->op) || (is_comparison(operation->op) && !operation->returns_bool))
    return nullptr;
  const Expr &left = operation->legs.front(), &right = operation->legs.back();
  if (std::holds_alternative<Literal>(left.node)) return &right;
  return std::holds_alternative<Literal>(right.node) ? &left : nullptr;
}

}  // namespace

std::unique_ptr<CertainSeries> CertainSeries::of(const Expr& expr) {
  auto certain = std::make_unique<CertainSeries>();
  for (const Expr* at = &expr; at != nullptr; at = inner_of(*at)) {
    if (const auto* range = std::get_if<RangeAggregation>(&at->node)) {
      if (range->function == "absent_over_time") return nullptr;
      std::ranges::reverse(certain->groupings_);
      return certain;
    }
    const auto* sum = std::get_if<VectorAggregation>(&at->node);
    if (sum != nullptr && sum->function != "sort" && sum->function != "sort_desc")
      certain->groupings_.push_back(sum->grouping.value_or(Grouping()));
  }
  return nullptr;
}

std::size_t CertainSeries::add(const LabelSetRef& labels) {
  LabelSetRef shown = labels;
  for (const Grouping& grouping : groupings_) {
    std::vector<Label> kept;
    reduce_labels(*shown, grouping.labels, !grouping.without, kept);
    if (grouping.without) std::erase_if(kept, [](const Label& label) { return label.name == "__name__"; });
    shown = LabelSet::intern(kept);
  }
  if (found_.insert(shown.get()).second) held_.push_back(std::move(shown));
  return held_.size();
}

}  // namespace weir::logql
