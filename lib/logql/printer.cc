#include "logql/printer.h"

#include "base/utf8.h"
#include "gotext/quantity.h"
#include "gotext/regex_shape.h"
#include "gotext/unicode.h"

#include <fmt/format.h>
#include <cctype>

namespace weir::logql {
namespace {

// A character that is no operator by itself is read as a name, such as `!` in `! = "x"`. It must not become a part of the operator.
std::string before_operator(const std::string& name) {
  const bool is_word = !name.empty() && (name.back() == '_' || std::isalnum(static_cast<unsigned char>(name.back())) != 0);
  return is_word || name.empty() || static_cast<unsigned char>(name.back()) >= 0x80 ? name : name + ' ';
}

std::string print_extractions(const std::vector<Extraction>& extractions) {
  std::string out;
  for (const Extraction& extraction : extractions) {
    out += out.empty() ? " " : ",";
    out += before_operator(extraction.name) + "=" + gotext::quote(extraction.expression);
  }
  return out;
}

std::string print_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out += ",";
    out += name;
  }
  return out;
}

std::string print_size_exactly(std::uint64_t bytes) {
  if (bytes == 0) return "0KB";  // 0B begins a number in base 2
  std::string rounded = gotext::print_bytes(bytes);
  return gotext::parse_bytes(rounded) == bytes ? rounded : fmt::format("{}B", bytes);
}

// Without the blank it would be read as a duration.
constexpr const char* kMinusZero = "- 0";
bool is_minus_zero(double value) { return value == 0 && std::signbit(value); }

// Numbers that have no literal are written as an operation that the parser folds back into them.
std::string print_literal(double value) {
  if (std::isnan(value)) return "(0 / 0)";
  if (std::isinf(value)) return value > 0 ? "(1e308 * 10)" : "(-1e308 * 10)";
  if (is_minus_zero(value)) return kMinusZero;
  return gotext::print_float_g(value);
}

std::string print_argument(const LineFilterExpr::Argument& argument) {
  return argument.is_ip ? "ip(" + gotext::quote(argument.text) + ")" : gotext::quote(argument.text);
}

struct StagePrinter {
  std::string operator()(const LineFilterExpr& filter) const {
    std::string out = std::string(symbol(filter.op)) + " ";
    for (std::size_t i = 0; i < filter.arguments.size(); ++i) {
      if (i > 0) out += " or ";
      out += print_argument(filter.arguments[i]);
    }
    return out;
  }
  std::string operator()(const LabelFilterExpr& filter) const { return "| " + print(filter); }
  std::string operator()(const JsonExpr& json) const { return "| json" + print_extractions(json.extractions); }
  std::string operator()(const LogfmtExpr& logfmt) const {
    return std::string("| logfmt") + (logfmt.strict ? " --strict" : "") + (logfmt.keep_empty ? " --keep-empty" : "") +
           print_extractions(logfmt.extractions);
  }
  std::string operator()(const RegexpExpr& regexp) const { return "| regexp " + gotext::quote(regexp.pattern); }
  std::string operator()(const PatternExpr& pattern) const { return "| pattern " + gotext::quote(pattern.pattern); }
  std::string operator()(const UnpackExpr&) const { return "| unpack"; }
  std::string operator()(const LineFormatExpr& format) const { return "| line_format " + gotext::quote(format.text); }
  std::string operator()(const LabelFormatExpr& format) const {
    std::string out = "| label_format ";
    for (std::size_t i = 0; i < format.items.size(); ++i) {
      if (i > 0) out += ",";
      out += before_operator(format.items[i].name) + "=" +
             (format.items[i].is_rename ? format.items[i].value : gotext::quote(format.items[i].value));
    }
    return out;
  }
  std::string operator()(const DecolorizeExpr&) const { return "| decolorize"; }
  std::string operator()(const LabelSelectionExpr& selection) const {
    std::string out = selection.keep ? "| keep " : "| drop ";
    for (std::size_t i = 0; i < selection.items.size(); ++i) {
      if (i > 0) out += ",";
      out += selection.items[i].has_value ? print(selection.items[i].matcher) : selection.items[i].matcher.name;
    }
    return out;
  }
};

std::string print_range(const LogRange& range) {
  std::string out = print(range.log);
  if (range.unwrap) {
    out += " | unwrap ";
    out += range.unwrap->conversion.empty() ? range.unwrap->label
                                            : fmt::format("{}({})", range.unwrap->conversion, range.unwrap->label);
    for (const LabelFilterExpr& filter : range.unwrap->filters) out += " | " + print(filter);
  }
  out += "[" + gotext::print_range_duration(range.range) + "]";
  if (range.offset != 0) out += " offset " + gotext::print_go_duration(range.offset);
  return out;
}

std::string print_grouping(const Grouping& grouping) {
  return fmt::format("{} ({})", grouping.without ? "without" : "by", print_names(grouping.labels));
}

struct ExprPrinter {
  std::string operator()(const LogExpr& log) const { return print(log); }
  std::string operator()(const RangeAggregation& aggregation) const {
    std::string out = aggregation.function + "(";
    if (aggregation.parameter) out += gotext::print_float_f(*aggregation.parameter) + ",";
    out += print_range(aggregation.range) + ")";
    if (aggregation.grouping) out += " " + print_grouping(*aggregation.grouping);
    return out;
  }
  std::string operator()(const VectorAggregation& aggregation) const {
    std::string out = aggregation.function;
    if (aggregation.grouping) out += " " + print_grouping(*aggregation.grouping);
    out += "(";
    if (aggregation.parameter) out += fmt::format("{},", *aggregation.parameter);
    return out + print(aggregation.inner.front()) + ")";
  }
  std::string operator()(const BinaryOperation& operation) const {
    std::string out = "(" + print(operation.legs.front()) + " " + std::string(symbol(operation.op));
    if (operation.returns_bool) out += " bool";
    if (operation.matching) {
      using Group = BinaryOperation::Matching::Group;
      const auto& matching = *operation.matching;
      out += fmt::format(" {} ({}) ", matching.on ? "on" : "ignoring", print_names(matching.labels));
      if (matching.group != Group::one_to_one) out += matching.group == Group::left ? "group_left" : "group_right";
      if (!matching.include.empty()) out += " (" + print_names(matching.include) + ")";
    }
    return out + " " + print(operation.legs.back()) + ")";
  }
  std::string operator()(const Literal& literal) const { return print_literal(literal.value); }
  std::string operator()(const LabelReplace& replace) const {
    return fmt::format("label_replace({},{},{},{},{})", print(replace.inner.front()), gotext::quote(replace.destination),
                       gotext::quote(replace.replacement), gotext::quote(replace.source), gotext::quote(replace.regex));
  }
  std::string operator()(const VectorLiteral& vector) const {
    const std::string rounded = fmt::format("{:f}", vector.value);
    return "vector(" + (gotext::parse_float(rounded) == vector.value ? rounded : gotext::print_float_g(vector.value)) + ")";
  }
  std::string operator()(const Variants& variants) const {
    std::string out = "variants(";
    for (std::size_t i = 0; i < variants.variants.size(); ++i) {
      if (i > 0) out += ", ";
      out += print(variants.variants[i]);
    }
    return out + ") of (" + print_range(variants.range) + ")";
  }
};

}  // namespace

std::string print(const MatcherExpr& matcher) {
  return before_operator(matcher.name) + std::string(symbol(matcher.op)) + gotext::quote(matcher.value);
}

std::string print_selector(const std::vector<MatcherExpr>& matchers) {
  std::string out = "{";
  for (std::size_t i = 0; i < matchers.size(); ++i) {
    if (i > 0) out += ", ";
    out += print(matchers[i]);
  }
  return out + "}";
}

std::string print(const LabelFilterExpr& filter) {
  using Kind = LabelFilterExpr::Kind;
  const std::string name = before_operator(filter.matcher.name);
  switch (filter.kind) {
    case Kind::both:
      return "( " + print(filter.legs.front()) + " , " + print(filter.legs.back()) + " )";
    case Kind::either:
      return "( " + print(filter.legs.front()) + " or " + print(filter.legs.back()) + " )";
    case Kind::number:
      return fmt::format("{}{}{}", name, symbol(filter.comparison),
                         is_minus_zero(filter.number) ? kMinusZero : gotext::print_float_f(filter.number));
    case Kind::duration:
      return fmt::format("{}{}{}", name, symbol(filter.comparison), gotext::print_go_duration(filter.duration));
    case Kind::bytes:
      return fmt::format("{}{}{}", name, symbol(filter.comparison), print_size_exactly(filter.bytes));
    case Kind::ip:
      return fmt::format("{}{}ip({})", name, symbol(filter.matcher.op), gotext::quote(filter.matcher.value));
    case Kind::string:
      break;
  }
  const std::string& value = filter.matcher.value;
  // Loki prints what it runs as a regular expression raw, what it has simplified quoted.
  if (filter.matcher.op == MatchOp::regex && value.find_first_of("`\r") == std::string::npos && base::is_utf8(value) &&
      !gotext::simplify_label_regex(value)) {
    return fmt::format("{}{}`{}`", name, symbol(filter.matcher.op), value);
  }
  return print(filter.matcher);
}

std::string print(const StageExpr& stage) { return std::visit(StagePrinter{}, stage.node); }

std::string print(const LogExpr& expr) {
  std::string out = print_selector(expr.matchers);
  for (const StageExpr& stage : expr.stages) out += " " + print(stage);
  return out;
}

std::string print(const Expr& expr) { return std::visit(ExprPrinter{}, expr.node); }

std::string_view symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::or_:
      return "or";
    case BinaryOp::and_:
      return "and";
    case BinaryOp::unless:
      return "unless";
    case BinaryOp::equal:
      return "==";
    case BinaryOp::not_equal:
      return "!=";
    case BinaryOp::greater:
      return ">";
    case BinaryOp::greater_equal:
      return ">=";
    case BinaryOp::less:
      return "<";
    case BinaryOp::less_equal:
      return "<=";
    case BinaryOp::add:
      return "+";
    case BinaryOp::sub:
      return "-";
    case BinaryOp::mul:
      return "*";
    case BinaryOp::div:
      return "/";
    case BinaryOp::mod:
      return "%";
    case BinaryOp::pow:
      return "^";
  }
  return "";
}

std::string_view symbol(MatchOp op) {
  switch (op) {
    case MatchOp::equal:
      return "=";
    case MatchOp::not_equal:
      return "!=";
    case MatchOp::regex:
      return "=~";
    case MatchOp::not_regex:
      return "!~";
  }
  return "";
}

std::string_view symbol(Comparison op) {
  switch (op) {
    case Comparison::equal:
      return "==";
    case Comparison::not_equal:
      return "!=";
    case Comparison::greater:
      return ">";
    case Comparison::greater_equal:
      return ">=";
    case Comparison::less:
      return "<";
    case Comparison::less_equal:
      return "<=";
  }
  return "";
}

std::string_view symbol(LineFilterExpr::Op op) {
  switch (op) {
    case LineFilterExpr::Op::contains:
      return "|=";
    case LineFilterExpr::Op::not_contains:
      return "!=";
    case LineFilterExpr::Op::regex:
      return "|~";
    case LineFilterExpr::Op::not_regex:
      return "!~";
    case LineFilterExpr::Op::pattern:
      return "|>";
    case LineFilterExpr::Op::not_pattern:
      return "!>";
  }
  return "";
}

}  // namespace weir::logql
