#include "rules/selector_index.h"

#include <algorithm>

namespace weir::rules {

base::Result<void> SelectorIndex::add(const std::vector<logql::MatcherExpr>& matchers) {
  auto selector = logql::Selector::compile(matchers);
  if (!selector) return std::move(selector).error();
  const auto number = static_cast<std::uint32_t>(selectors_.size());
  selectors_.push_back(std::move(*selector));
  // An empty value is that of a label that is not there.
  const auto named = std::find_if(matchers.begin(), matchers.end(), [](const logql::MatcherExpr& matcher) {
    return matcher.op == logql::MatchOp::equal && !matcher.value.empty();
  });
  (named == matchers.end() ? others_ : by_value_[named->name][named->value]).push_back(number);
  return {};
}

void SelectorIndex::select(const record::LabelSet& labels, std::vector<std::uint32_t>& out) const {
  out.clear();
  const auto ask = [&](const Numbers& numbers) {
    for (const std::uint32_t number : numbers) {
      if (selectors_[number].matches(labels)) out.push_back(number);
    }
  };
  for (const record::Label& label : labels.labels()) {
    const auto values = by_value_.find(label.name);
    if (values == by_value_.end()) continue;
    if (const auto numbers = values->second.find(label.value); numbers != values->second.end()) ask(numbers->second);
  }
  ask(others_);
  std::sort(out.begin(), out.end());
}

}  // namespace weir::rules
