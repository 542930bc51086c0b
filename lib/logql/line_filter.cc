#include "logql/line_filter.h"

#include "base/byte_search.h"
#include "gotext/regex.h"
#include "gotext/regex_shape.h"
#include "logql/ip_filter.h"
#include "logql/pattern.h"
#include "record/json.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::logql {
namespace {

using Op = LineFilterExpr::Op;

// Groups of needles: each of `all`, and one of `any`.
std::vector<Needles> groups_of(std::vector<std::string> all, std::vector<std::string> any) {
  constexpr std::size_t kMostOfOne = 8;  // looking for more of them costs as much as asking every line
  std::vector<Needles> groups;
  for (std::string& one : all) {
    if (!one.empty()) groups.push_back({std::move(one)});
  }
  const bool certain = std::none_of(any.begin(), any.end(), [](const std::string& one) { return one.empty(); });
  if (groups.empty() && certain && !any.empty() && any.size() <= kMostOfOne) groups.push_back(std::move(any));
  return groups;
}

class ContainsFilter : public LineFilter {
 public:
  ContainsFilter(std::string needle, bool negated)
      : needle_(std::move(needle)), negated_(negated), may_be_escaped_(record::may_be_escaped(needle_)) {}
  bool passes(std::string_view line) const override { return base::contains_bytes(line, needle_) != negated_; }
  Verdict escaped(std::string_view text, bool has_unicode_escapes) const override {
    // Found in the escaped text proves little: `\name` holds "name" only by accident. Not found proves that it is not there.
    if (may_be_escaped_ || has_unicode_escapes || base::contains_bytes(text, needle_)) return Verdict::unknown;
    return negated_ ? Verdict::yes : Verdict::no;
  }
  std::vector<Needles> needles() const override {
    if (negated_ || needle_.empty()) return {};
    return {{needle_}};
  }
  bool always() const override { return needle_.empty() && !negated_; }

 private:
  std::string needle_;
  bool negated_;
  bool may_be_escaped_;
};

class RegexFilter : public LineFilter {
 public:
  RegexFilter(gotext::Regex regex, std::string_view pattern, bool negated) : regex_(std::move(regex)), negated_(negated) {
    gotext::RequiredLiterals literals = gotext::required_literals(pattern);
    std::erase_if(literals.all, [](const std::string& literal) { return literal.empty(); });
    needles_ = std::move(literals.all);
    any_ = std::move(literals.any);
  }
  bool passes(std::string_view line) const override { return regex_.matches(line) != negated_; }
  Verdict escaped(std::string_view text, bool has_unicode_escapes) const override {
    if (has_unicode_escapes) return Verdict::unknown;
    for (const std::string& needle : needles_) {
      if (!record::may_be_escaped(needle) && !base::contains_bytes(text, needle)) return negated_ ? Verdict::yes : Verdict::no;
    }
    return Verdict::unknown;
  }
  std::vector<Needles> needles() const override { return negated_ ? std::vector<Needles>() : groups_of(needles_, any_); }

 private:
  gotext::Regex regex_;
  std::vector<std::string> needles_;  // all of them
  std::vector<std::string> any_;      // one of them; empty when nothing is certain
  bool negated_;
};

// A regular expression that Loki replaces by searches (regex_shape.h).
class SimplifiedFilter : public LineFilter {
 public:
  SimplifiedFilter(std::vector<gotext::RegexTest> tests, bool negated) : tests_(std::move(tests)), negated_(negated) {}
  bool passes(std::string_view line) const override {
    return std::any_of(tests_.begin(), tests_.end(), [&](const gotext::RegexTest& test) { return test.holds(line); }) != negated_;
  }
  Verdict escaped(std::string_view text, bool has_unicode_escapes) const override {
    for (const gotext::RegexTest& test : tests_) {
      const bool plain =
          test.kind == gotext::RegexTest::Kind::contains && !has_unicode_escapes && !record::may_be_escaped(test.text);
      if (!plain || test.holds(text)) return Verdict::unknown;
    }
    return negated_ ? Verdict::yes : Verdict::no;
  }
  std::vector<Needles> needles() const override {
    Needles any;
    for (const gotext::RegexTest& test : tests_) {
      const bool certain = test.kind == gotext::RegexTest::Kind::contains || test.kind == gotext::RegexTest::Kind::equals;
      if (negated_ || !certain || test.fold) return {};
      any.push_back(test.text);
    }
    return groups_of({}, std::move(any));
  }
  bool always() const override {
    return !negated_ && std::any_of(tests_.begin(), tests_.end(), [](const gotext::RegexTest& test) {
      return test.kind == gotext::RegexTest::Kind::always || (test.kind == gotext::RegexTest::Kind::contains && test.text.empty());
    });
  }

 private:
  std::vector<gotext::RegexTest> tests_;
  bool negated_;
};

class PatternFilter : public LineFilter {
 public:
  PatternFilter(Pattern pattern, bool negated) : pattern_(std::move(pattern)), negated_(negated) {}
  bool passes(std::string_view line) const override { return pattern_.matches(line) != negated_; }
  std::vector<Needles> needles() const override { return negated_ ? std::vector<Needles>() : groups_of(pattern_.literals(), {}); }

 private:
  Pattern pattern_;
  bool negated_;
};

class IpLineFilter : public LineFilter {
 public:
  IpLineFilter(IpFilter filter, bool negated) : filter_(filter), negated_(negated) {}
  bool passes(std::string_view line) const override { return filter_.found_in(line) != negated_; }

 private:
  IpFilter filter_;
  bool negated_;
};

class AnyFilter : public LineFilter {
 public:
  explicit AnyFilter(std::vector<std::unique_ptr<LineFilter>> filters) : filters_(std::move(filters)) {}
  bool passes(std::string_view line) const override {
    return std::any_of(filters_.begin(), filters_.end(), [&](const auto& filter) { return filter->passes(line); });
  }
  Verdict escaped(std::string_view text, bool has_unicode_escapes) const override {
    Verdict verdict = Verdict::no;
    for (const auto& filter : filters_) {
      const Verdict one = filter->escaped(text, has_unicode_escapes);
      if (one == Verdict::yes) return one;
      if (one == Verdict::unknown) verdict = one;
    }
    return verdict;
  }
  std::vector<Needles> needles() const override {
    Needles any;
    for (const auto& filter : filters_) {
      std::vector<Needles> groups = filter->needles();
      if (groups.empty()) return {};
      any.insert(any.end(), groups.front().begin(), groups.front().end());
    }
    return groups_of({}, std::move(any));
  }

 private:
  std::vector<std::unique_ptr<LineFilter>> filters_;
};

base::Result<std::unique_ptr<LineFilter>> compile_one(Op op, const LineFilterExpr::Argument& argument) {
  const bool negated = op == Op::not_contains || op == Op::not_regex || op == Op::not_pattern;
  std::unique_ptr<LineFilter> filter;
  if (argument.is_ip) {
    if (op != Op::contains && op != Op::not_contains) return base::fail(base::Code::parse, "ip: invalid operation");
    auto ip = IpFilter::compile(argument.text);
    if (!ip) return std::move(ip).error();
    filter = std::make_unique<IpLineFilter>(*ip, negated);
    return filter;
  }
  switch (op) {
    case Op::contains:
    case Op::not_contains:
      filter = std::make_unique<ContainsFilter>(argument.text, negated);
      break;
    case Op::regex:
    case Op::not_regex: {
      auto regex = gotext::Regex::compile(argument.text);
      if (!regex) return std::move(regex).error();
      if (auto tests = gotext::simplify_line_regex(argument.text)) {
        filter = std::make_unique<SimplifiedFilter>(std::move(*tests), negated);
      } else {
        filter = std::make_unique<RegexFilter>(std::move(*regex), argument.text, negated);
      }
      break;
    }
    case Op::pattern:
    case Op::not_pattern: {
      auto pattern = Pattern::compile_filter(argument.text);
      if (!pattern) return std::move(pattern).error();
      filter = std::make_unique<PatternFilter>(std::move(*pattern), negated);
      break;
    }
  }
  return filter;
}

}  // namespace

LineFilter::Verdict LineFilter::escaped(std::string_view, bool) const { return Verdict::unknown; }

base::Result<std::unique_ptr<LineFilter>> LineFilter::compile(const LineFilterExpr& expr) {
  if (expr.arguments.size() == 1) return compile_one(expr.op, expr.arguments.front());
  std::vector<std::unique_ptr<LineFilter>> filters;
  for (LineFilterExpr::Argument argument : expr.arguments) {
    argument.is_ip = false;  // beside an `or` Loki takes ip("…") for the text in it
    auto filter = compile_one(expr.op, argument);
    if (!filter) return filter;
    // What passes everything counts for nothing beside another: `|= "" or "x"` is `|= "x"` to Loki.
    if (!filters.empty() && (*filter)->always()) continue;
    if (filters.size() == 1 && filters.front()->always()) filters.clear();
    filters.push_back(std::move(*filter));
  }
  if (filters.size() == 1) return std::move(filters.front());
  return std::unique_ptr<LineFilter>(std::make_unique<AnyFilter>(std::move(filters)));
}

}  // namespace weir::logql
