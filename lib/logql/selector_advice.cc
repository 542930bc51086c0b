#include "logql/selector_advice.h"

#include "base/count.h"
#include "base/suggestion.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "logql/printer.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::logql {
namespace {

constexpr std::size_t kShown = 6;  // names of what is there

void sort_each_once(std::vector<std::string>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

std::string instead(std::string_view word, std::vector<std::string> there) {
  sort_each_once(there);
  if (there.empty()) return {};
  if (const auto near = base::nearest(word, there); !near.empty()) return fmt::format("; did you mean '{}'?", near);
  const std::size_t shown = std::min(there.size(), kShown);
  std::string text = fmt::format("; there {} {}", there.size() == 1 ? "is" : "are",
                                 fmt::join(there.begin(), there.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (there.size() > shown) text += fmt::format(" and {} more", base::grouped(there.size() - shown));
  return text;
}

std::vector<std::string> names_in(std::span<const record::LabelSetRef> sets) {
  std::vector<std::string> names;
  for (const record::LabelSetRef& set : sets) {
    for (const record::Label& label : set->labels()) names.emplace_back(label.name);
  }
  return names;
}

// The log query that an expression reads first.
const LogExpr* first_log(const Expr& expr) {
  if (const auto* log = std::get_if<LogExpr>(&expr.node)) return log;
  if (const auto* range = std::get_if<RangeAggregation>(&expr.node)) return &range->range.log;
  const auto of = [](const std::vector<Expr>& legs) -> const LogExpr* {
    for (const Expr& leg : legs) {
      if (const LogExpr* log = first_log(leg); log != nullptr) return log;
    }
    return nullptr;
  };
  if (const auto* vector = std::get_if<VectorAggregation>(&expr.node)) return of(vector->inner);
  if (const auto* binary = std::get_if<BinaryOperation>(&expr.node)) return of(binary->legs);
  if (const auto* replace = std::get_if<LabelReplace>(&expr.node)) return of(replace->inner);
  return nullptr;
}

std::vector<MatcherExpr> matchers_of(std::string_view query) {
  const auto parsed = parse(query, {.selector_optional = true});
  if (!parsed) return {};
  const LogExpr* log = first_log(*parsed);
  return log == nullptr ? std::vector<MatcherExpr>() : log->matchers;
}

base::Result<LogQuery> selector_of(const std::vector<MatcherExpr>& matchers) {
  return LogQuery::compile(print_selector(matchers), {.selector_optional = true});
}

bool needs_its_label(const MatcherExpr& matcher) {
  if (matcher.op != MatchOp::equal && matcher.op != MatchOp::regex) return false;
  const auto alone = selector_of({matcher});
  return alone && !alone->selects(*record::LabelSet::empty());
}

}  // namespace

std::string explain_label(std::string_view name, std::vector<std::string> names_there) {
  return fmt::format("no label '{}' here{}", name, instead(name, std::move(names_there)));
}

std::vector<OneMatcher> matchers_apart(std::string_view query) {
  std::vector<OneMatcher> apart;
  for (const MatcherExpr& matcher : matchers_of(query)) {
    if (needs_its_label(matcher)) apart.push_back({matcher.name, print_selector({matcher})});
  }
  return apart;
}

std::string explain_labels(std::string_view query, std::span<const record::LabelSetRef> there) {
  if (there.empty()) return {};
  for (const OneMatcher& matcher : matchers_apart(query)) {
    if (std::any_of(there.begin(), there.end(), [&](const record::LabelSetRef& set) { return !set->get(matcher.label).empty(); }))
      continue;
    return explain_label(matcher.label, names_in(there));
  }
  return {};
}

std::string explain_exclusion(std::string_view query, std::span<const record::LabelSetRef> there) {
  if (there.empty()) return {};
  for (const MatcherExpr& matcher : matchers_of(query)) {
    if (matcher.op != MatchOp::not_equal && matcher.op != MatchOp::not_regex) continue;
    const auto alone = selector_of({matcher});
    const bool takes_without = alone && alone->selects(*record::LabelSet::empty());  // `a!=""` asks for the label
    const auto has = [&](const record::LabelSetRef& set) { return !set->get(matcher.name).empty(); };
    if (!takes_without || std::any_of(there.begin(), there.end(), has)) continue;
    const std::string selector = print_selector({matcher});
    auto text = fmt::format("no label '{}' here, so {} excludes nothing", matcher.name, selector);
    if (matcher.name != "detected_level") return text;
    const auto filter = std::string_view(selector).substr(1, selector.size() - 2);
    return text + fmt::format("; `enrich --level` adds the level as metadata, which `| {}` asks for", filter);
  }
  return {};
}

std::string explain_selector(std::string_view query, std::span<const record::LabelSetRef> there) {
  const std::vector<MatcherExpr> matchers = matchers_of(query);
  if (matchers.empty() || there.empty()) return {};
  const auto takes_one = [&](const std::vector<MatcherExpr>& some) {
    const auto selector = selector_of(some);
    return !selector ||
           std::any_of(there.begin(), there.end(), [&](const record::LabelSetRef& set) { return selector->selects(*set); });
  };
  if (takes_one(matchers)) return {};
  for (const MatcherExpr& matcher : matchers) {
    if (!needs_its_label(matcher) || takes_one({matcher})) continue;
    std::vector<std::string> values;
    for (const record::LabelSetRef& set : there) {
      if (const auto value = set->get(matcher.name); !value.empty()) values.emplace_back(value);
    }
    if (values.empty()) return explain_label(matcher.name, names_in(there));
    const auto wrong = matcher.op == MatchOp::regex ? fmt::format("no {} here matches '{}'", matcher.name, matcher.value)
                                                    : fmt::format("no {} '{}' here", matcher.name, matcher.value);
    return wrong + instead(matcher.value, std::move(values));
  }
  return fmt::format("nothing here has all of {}", print_selector(matchers));
}

}  // namespace weir::logql
