#include "logql/lone_filter.h"

#include "logql/scope.h"
#include "names/label_name.h"

#include <algorithm>

namespace weir::logql {
namespace {

// Whether the name is its own normal form, begins with a letter, and no name that begins otherwise becomes it.
bool is_only_itself(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return names::is_metadata_name(name) && is_letter(name.front()) && !name.starts_with("key_") &&
         !name.starts_with(names::kUnnamed) && !name.ends_with("_extracted");
}

}  // namespace

std::optional<LoneFilter> LoneFilter::of(const StageExpr& stage) {
  const auto* expr = std::get_if<LabelFilterExpr>(&stage.node);
  if (expr == nullptr || expr->kind != LabelFilterExpr::Kind::string || !is_only_itself(expr->matcher.name)) return std::nullopt;
  LoneFilter filter;
  filter.name_ = expr->matcher.name;
  filter.negated_ = expr->matcher.op == MatchOp::not_equal || expr->matcher.op == MatchOp::not_regex;
  if (expr->matcher.op == MatchOp::equal || expr->matcher.op == MatchOp::not_equal) {
    filter.tests_ = {{gotext::RegexTest::Kind::equals, expr->matcher.value}};
    return filter;
  }
  auto tests = gotext::simplify_label_regex(expr->matcher.value);
  if (!tests) return std::nullopt;
  filter.tests_ = std::move(*tests);
  return filter;
}

bool LoneFilter::holds(std::string_view value) const {
  return std::any_of(tests_.begin(), tests_.end(), [&](const gotext::RegexTest& test) { return test.holds(value); }) != negated_;
}

std::optional<std::string_view> LoneFilter::value(const record::Record& record) const {
  // Metadata with the name of a label goes by another name.
  if (const std::string_view of_stream = record.labels->get(name_); !of_stream.empty()) return of_stream;
  std::string_view value;  // of a repeated name the last
  for (const record::Label& label : record.metadata) {
    if (label.value.empty() || label.name.empty()) continue;
    if (label.name == name_) {
      value = label.value;
    } else if (label.name.front() == name_.front() && !names::is_metadata_name(label.name)) {
      return std::nullopt;
    }
  }
  return value;
}

std::optional<bool> LoneFilter::passes(const record::Record& record) const {
  const std::optional<std::string_view> found = value(record);
  return found ? std::optional(holds(*found)) : std::nullopt;
}

}  // namespace weir::logql
