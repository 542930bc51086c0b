#include "logql/label_filter.h"

#include "gotext/quantity.h"
#include "gotext/regex.h"
#include "gotext/regex_shape.h"
#include "logql/ip_filter.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::logql {
namespace {

// The value a string filter sees: __error__ is the error of the record, anything else a label, "" when it is missing.
std::string_view text_of(Scope& scope, const std::string& name, bool is_error) {
  return is_error ? scope.error() : scope.get(name);
}

class EqualFilter : public LabelFilter {
 public:
  EqualFilter(const MatcherExpr& expr)
      : name_(expr.name), value_(expr.value), negated_(expr.op == MatchOp::not_equal), is_error_(expr.name == kErrorLabel) {}
  bool test(Scope& scope) const override { return (text_of(scope, name_, is_error_) == value_) != negated_; }

 private:
  std::string name_;
  std::string value_;
  bool negated_;
  bool is_error_;
};

class RegexFilter : public LabelFilter {
 public:
  RegexFilter(const MatcherExpr& expr, gotext::Regex regex)
      : name_(expr.name), regex_(std::move(regex)), negated_(expr.op == MatchOp::not_regex), is_error_(expr.name == kErrorLabel) {}
  bool test(Scope& scope) const override { return regex_.matches(text_of(scope, name_, is_error_)) != negated_; }

 private:
  std::string name_;
  gotext::Regex regex_;
  bool negated_;
  bool is_error_;
};

// A regular expression that Loki replaces by comparisons (regex_shape.h).
class SimplifiedFilter : public LabelFilter {
 public:
  SimplifiedFilter(const MatcherExpr& expr, std::vector<gotext::RegexTest> tests)
      : name_(expr.name), tests_(std::move(tests)), negated_(expr.op == MatchOp::not_regex), is_error_(expr.name == kErrorLabel) {}
  bool test(Scope& scope) const override {
    const std::string_view value = text_of(scope, name_, is_error_);
    return std::any_of(tests_.begin(), tests_.end(), [&](const gotext::RegexTest& one) { return one.holds(value); }) != negated_;
  }

 private:
  std::string name_;
  std::vector<gotext::RegexTest> tests_;
  bool negated_;
  bool is_error_;
};

template <typename Value>
bool compare(Comparison comparison, Value a, Value b) {
  switch (comparison) {
    case Comparison::equal:
      return a == b;
    case Comparison::not_equal:
      return a != b;
    case Comparison::greater:
      return a > b;
    case Comparison::greater_equal:
      return a >= b;
    case Comparison::less:
      return a < b;
    case Comparison::less_equal:
      return a <= b;
  }
  return false;
}

// One value, read by Parse, compared with a constant.
template <typename Value, std::optional<Value> (*Parse)(std::string_view), std::string (*Complain)(std::string_view)>
class QuantityFilter : public LabelFilter {
 public:
  QuantityFilter(const LabelFilterExpr& expr, Value constant)
      : name_(expr.matcher.name), comparison_(expr.comparison), constant_(constant) {}
  bool test(Scope& scope) const override {
    std::string_view text;
    if (!scope.find(name_, text)) return false;
    const std::optional<Value> value = Parse(text);
    if (value) return compare(comparison_, *value, constant_);
    if (!scope.errored()) scope.set_error(kLabelFilterError, scope.explains() ? Complain(text) : std::string());
    return true;
  }

 private:
  std::string name_;
  Comparison comparison_;
  Value constant_;
};

class IpLabelFilter : public LabelFilter {
 public:
  IpLabelFilter(const MatcherExpr& expr, IpFilter filter)
      : name_(expr.name), filter_(filter), negated_(expr.op == MatchOp::not_equal) {}
  bool test(Scope& scope) const override {
    if (scope.errored()) return true;
    std::string_view text;
    return scope.find(name_, text) && filter_.found_in(text) != negated_;
  }

 private:
  std::string name_;
  IpFilter filter_;
  bool negated_;
};

class BothFilter : public LabelFilter {
 public:
  BothFilter(std::unique_ptr<LabelFilter> left, std::unique_ptr<LabelFilter> right)
      : left_(std::move(left)), right_(std::move(right)) {}
  bool test(Scope& scope) const override {
    const bool left = left_->test(scope);  // Loki asks both sides, so that either may set the error
    const bool right = right_->test(scope);
    return left && right;
  }

 private:
  std::unique_ptr<LabelFilter> left_;
  std::unique_ptr<LabelFilter> right_;
};

class EitherFilter : public LabelFilter {
 public:
  EitherFilter(std::unique_ptr<LabelFilter> left, std::unique_ptr<LabelFilter> right)
      : left_(std::move(left)), right_(std::move(right)) {}
  bool test(Scope& scope) const override { return left_->test(scope) || right_->test(scope); }

 private:
  std::unique_ptr<LabelFilter> left_;
  std::unique_ptr<LabelFilter> right_;
};

base::Result<std::unique_ptr<LabelFilter>> compile_string(const MatcherExpr& expr) {
  if (expr.op == MatchOp::equal || expr.op == MatchOp::not_equal)
    return std::unique_ptr<LabelFilter>(std::make_unique<EqualFilter>(expr));
  auto regex = gotext::Regex::compile(expr.value, gotext::Regex::Mode::anchored);
  if (!regex) return std::move(regex).error();
  if (auto tests = gotext::simplify_label_regex(expr.value)) {
    return std::unique_ptr<LabelFilter>(std::make_unique<SimplifiedFilter>(expr, std::move(*tests)));
  }
  return std::unique_ptr<LabelFilter>(std::make_unique<RegexFilter>(expr, std::move(*regex)));
}

}  // namespace

base::Result<std::unique_ptr<LabelFilter>> LabelFilter::compile(const LabelFilterExpr& expr) {
  using Kind = LabelFilterExpr::Kind;
  std::unique_ptr<LabelFilter> filter;
  switch (expr.kind) {
    case Kind::string:
      return compile_string(expr.matcher);
    case Kind::number:
      filter = std::make_unique<QuantityFilter<double, gotext::parse_float, gotext::float_complaint>>(expr, expr.number);
      break;
    case Kind::duration:
      filter = std::make_unique<QuantityFilter<base::Duration, gotext::parse_go_duration, gotext::duration_complaint>>(
          expr, expr.duration);
      break;
    case Kind::bytes:
      filter = std::make_unique<QuantityFilter<std::uint64_t, gotext::parse_bytes, gotext::bytes_complaint>>(expr, expr.bytes);
      break;
    case Kind::ip: {
      auto ip = IpFilter::compile(expr.matcher.value);
      if (!ip) return std::move(ip).error();
      filter = std::make_unique<IpLabelFilter>(expr.matcher, *ip);
      break;
    }
    case Kind::both:
    case Kind::either: {
      auto left = compile(expr.legs.front());
      if (!left) return left;
      auto right = compile(expr.legs.back());
      if (!right) return right;
      if (expr.kind == Kind::both) {
        filter = std::make_unique<BothFilter>(std::move(*left), std::move(*right));
      } else {
        filter = std::make_unique<EitherFilter>(std::move(*left), std::move(*right));
      }
      break;
    }
  }
  return filter;
}

void collect_names(const LabelFilterExpr& expr, std::vector<std::string>& names) {
  if (expr.legs.empty()) names.push_back(expr.matcher.name);
  for (const LabelFilterExpr& leg : expr.legs) collect_names(leg, names);
}

}  // namespace weir::logql
