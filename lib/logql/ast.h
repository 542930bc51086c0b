// A LogQL query as a tree of plain values, as it was written but for parentheses and for what Loki's parser folds: `!= "a" or
// "b"` are two filters, and an operator between two numbers is their result. Immutable by use, comparable, copyable.
#pragma once

#include "base/clock.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::logql {

enum class MatchOp : std::uint8_t { equal, not_equal, regex, not_regex };

// name="value" of a selector, of drop and keep, and of a string filter.
struct MatcherExpr {
  std::string name;
  MatchOp op = MatchOp::equal;
  std::string value;
  friend bool operator==(const MatcherExpr&, const MatcherExpr&) = default;
};

struct LineFilterExpr {
  enum class Op : std::uint8_t { contains, not_contains, regex, not_regex, pattern, not_pattern };
  struct Argument {
    bool is_ip = false;  // ip("…")
    std::string text;
    friend bool operator==(const Argument&, const Argument&) = default;
  };
  Op op = Op::contains;
  std::vector<Argument> arguments;  // any of them; exactly one for the negative operators
  friend bool operator==(const LineFilterExpr&, const LineFilterExpr&) = default;
};

enum class Comparison : std::uint8_t { equal, not_equal, greater, greater_equal, less, less_equal };

struct LabelFilterExpr {
  enum class Kind : std::uint8_t { string, number, duration, bytes, ip, both, either };
  Kind kind = Kind::string;
  MatcherExpr matcher;  // the name of all but both and either; op and value of string and ip
  Comparison comparison = Comparison::equal;
  double number = 0;
  base::Duration duration = 0;
  std::uint64_t bytes = 0;
  std::vector<LabelFilterExpr> legs;  // two, of both and either
  friend bool operator==(const LabelFilterExpr&, const LabelFilterExpr&) = default;
};

// name="expression" of json and logfmt.
struct Extraction {
  std::string name;
  std::string expression;
  friend bool operator==(const Extraction&, const Extraction&) = default;
};

struct JsonExpr {
  std::vector<Extraction> extractions;  // none: all fields
  friend bool operator==(const JsonExpr&, const JsonExpr&) = default;
};
struct LogfmtExpr {
  bool strict = false;
  bool keep_empty = false;
  std::vector<Extraction> extractions;  // none: all keys
  friend bool operator==(const LogfmtExpr&, const LogfmtExpr&) = default;
};
struct RegexpExpr {
  std::string pattern;
  friend bool operator==(const RegexpExpr&, const RegexpExpr&) = default;
};
struct PatternExpr {
  std::string pattern;
  friend bool operator==(const PatternExpr&, const PatternExpr&) = default;
};
struct UnpackExpr {
  friend bool operator==(const UnpackExpr&, const UnpackExpr&) = default;
};
struct LineFormatExpr {
  std::string text;
  friend bool operator==(const LineFormatExpr&, const LineFormatExpr&) = default;
};
struct LabelFormatExpr {
  struct Item {
    std::string name;
    bool is_rename = false;
    std::string value;  // the label to rename, or a template
    friend bool operator==(const Item&, const Item&) = default;
  };
  std::vector<Item> items;
  friend bool operator==(const LabelFormatExpr&, const LabelFormatExpr&) = default;
};
struct DecolorizeExpr {
  friend bool operator==(const DecolorizeExpr&, const DecolorizeExpr&) = default;
};
// drop and keep: names, and matchers that must match the value too.
struct LabelSelectionExpr {
  struct Item {
    MatcherExpr matcher;
    bool has_value = false;
    friend bool operator==(const Item&, const Item&) = default;
  };
  bool keep = false;
  std::vector<Item> items;
  friend bool operator==(const LabelSelectionExpr&, const LabelSelectionExpr&) = default;
};

struct StageExpr {
  using Variant = std::variant<LineFilterExpr, LabelFilterExpr, JsonExpr, LogfmtExpr, RegexpExpr, PatternExpr, UnpackExpr,
                               LineFormatExpr, LabelFormatExpr, DecolorizeExpr, LabelSelectionExpr>;
  Variant node;
  std::size_t offset = 0;  // where it begins in the query
  friend bool operator==(const StageExpr& a, const StageExpr& b) { return a.node == b.node; }
};

struct LogExpr {
  std::vector<MatcherExpr> matchers;
  std::vector<StageExpr> stages;
  friend bool operator==(const LogExpr&, const LogExpr&) = default;
};

struct UnwrapExpr {
  std::string label;
  std::string conversion;  // "", bytes, duration, duration_seconds
  std::vector<LabelFilterExpr> filters;
  friend bool operator==(const UnwrapExpr&, const UnwrapExpr&) = default;
};

struct LogRange {
  LogExpr log;
  std::optional<UnwrapExpr> unwrap;
  base::Duration range = 0;
  base::Duration offset = 0;
  friend bool operator==(const LogRange&, const LogRange&) = default;
};

struct Grouping {
  bool without = false;
  std::vector<std::string> labels;
  friend bool operator==(const Grouping&, const Grouping&) = default;
};

struct Expr;

struct RangeAggregation {
  std::string function;  // "rate", "count_over_time", …
  std::optional<double> parameter;
  LogRange range;
  std::optional<Grouping> grouping;
  friend bool operator==(const RangeAggregation&, const RangeAggregation&) = default;
};

struct VectorAggregation {
  std::string function;  // "sum", "topk", …
  std::optional<std::int64_t> parameter;
  std::vector<Expr> inner;           // one
  std::optional<Grouping> grouping;  // none means one series, as `by ()` does
  friend bool operator==(const VectorAggregation&, const VectorAggregation&);
};

enum class BinaryOp : std::uint8_t {
  or_,
  and_,
  unless,
  equal,
  not_equal,
  greater,
  greater_equal,
  less,
  less_equal,
  add,
  sub,
  mul,
  div,
  mod,
  pow,
};
[[nodiscard]] std::string_view symbol(BinaryOp op);
[[nodiscard]] std::string_view symbol(MatchOp op);
[[nodiscard]] std::string_view symbol(Comparison op);
[[nodiscard]] std::string_view symbol(LineFilterExpr::Op op);
[[nodiscard]] inline bool is_set_operation(BinaryOp op) { return op <= BinaryOp::unless; }
[[nodiscard]] inline bool is_comparison(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::less_equal; }

struct BinaryOperation {
  struct Matching {
    bool on = false;  // else ignoring
    std::vector<std::string> labels;
    enum class Group : std::uint8_t { one_to_one, left, right } group = Group::one_to_one;
    std::vector<std::string> include;
    friend bool operator==(const Matching&, const Matching&) = default;
  };
  BinaryOp op = BinaryOp::add;
  bool returns_bool = false;
  std::optional<Matching> matching;
  std::vector<Expr> legs;  // two
  friend bool operator==(const BinaryOperation&, const BinaryOperation&);
};

struct Literal {
  double value = 0;
  friend bool operator==(const Literal& a, const Literal& b) {
    return a.value == b.value || (std::isnan(a.value) && std::isnan(b.value));
  }
};

struct LabelReplace {
  std::vector<Expr> inner;  // one
  std::string destination;
  std::string replacement;
  std::string source;
  std::string regex;
  friend bool operator==(const LabelReplace&, const LabelReplace&);
};

struct VectorLiteral {
  double value = 0;
  friend bool operator==(const VectorLiteral&, const VectorLiteral&) = default;
};

struct Variants {
  std::vector<Expr> variants;
  LogRange range;
  friend bool operator==(const Variants&, const Variants&);
};

struct Expr {
  std::variant<LogExpr, RangeAggregation, VectorAggregation, BinaryOperation, Literal, LabelReplace, VectorLiteral, Variants> node;

  [[nodiscard]] bool is_log() const { return std::holds_alternative<LogExpr>(node); }
  friend bool operator==(const Expr&, const Expr&);
};

inline bool operator==(const VectorAggregation&, const VectorAggregation&) = default;
inline bool operator==(const BinaryOperation&, const BinaryOperation&) = default;
inline bool operator==(const LabelReplace&, const LabelReplace&) = default;
inline bool operator==(const Variants&, const Variants&) = default;
inline bool operator==(const Expr&, const Expr&) = default;

}  // namespace weir::logql
