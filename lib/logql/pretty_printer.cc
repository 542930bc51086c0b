#include "logql/pretty_printer.h"

#include "gotext/quantity.h"
#include "gotext/unicode.h"
#include "logql/parser.h"
#include "logql/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace weir::logql {
namespace {

constexpr std::size_t kMostInLine = 100;  // bytes

std::string indent(std::size_t level) { return std::string(2 * level, ' '); }

std::string listed(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

// As Loki prints, or, where that would be another query, `exact`.
class PrettyPrinter {
 public:
  explicit PrettyPrinter(bool exact) : exact_(exact) {}

  [[nodiscard]] std::string text(const Expr& expr, std::size_t level) const {
    const bool splits = std::holds_alternative<Variants>(expr.node);
    if (std::string line = print(expr); line.size() <= kMostInLine && !splits) return indent(level) + line;
    return std::visit([&](const auto& node) { return split(node, level); }, expr.node);
  }

 private:
  [[nodiscard]] std::string text(const LogExpr& log, std::size_t level) const {
    if (std::string line = print(log); line.size() <= kMostInLine) return indent(level) + line;
    return split(log, level);
  }

  [[nodiscard]] std::string split(const LogExpr& log, std::size_t level) const {
    std::string out = indent(level) + print_selector(log.matchers);
    const std::span<const StageExpr> stages = log.stages;
    for (std::size_t at = 0; at < stages.size();) {
      std::size_t count = 0;
      while (at + count < stages.size() && std::holds_alternative<LineFilterExpr>(stages[at + count].node)) ++count;
      out += '\n';
      out += count > 0 ? line_filters(stages.subspan(at, count), level + 1) : stage(stages[at], level + 1);
      at += std::max<std::size_t>(count, 1);
    }
    return out;
  }

  [[nodiscard]] static std::string stage(const StageExpr& stage, std::size_t level) {
    // That Loki does not indent this one has no reason.
    return std::holds_alternative<DecolorizeExpr>(stage.node) ? print(stage) : indent(level) + print(stage);
  }

  // Filters one behind the other share a line while they fit into it.
  [[nodiscard]] std::string line_filters(std::span<const StageExpr> filters, std::size_t level) const {
    std::size_t fit = 0, length = 0;
    for (; fit < filters.size(); ++fit) {
      length += print(filters[fit]).size() + (fit > 0 ? 1 : 0);
      if (length > kMostInLine) break;
    }
    std::string out;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      if (i == 0) {
        out += indent(level);
      } else {
        out += i < fit ? " " : '\n' + indent(level);
      }
      out += i < fit ? print(filters[i]) : lone_filter(filters[i]);
    }
    return out;
  }
  [[nodiscard]] std::string lone_filter(const StageExpr& stage) const {
    if (exact_) return print(stage);
    LineFilterExpr first = std::get<LineFilterExpr>(stage.node);
    first.arguments.resize(1);
    return print(StageExpr{.node = std::move(first)});
  }

  [[nodiscard]] std::string range(const LogRange& range, std::size_t level) const {
    std::string out = text(range.log, level);
    if (range.unwrap) {
      const UnwrapExpr& unwrap = *range.unwrap;
      const std::string margin = '\n' + indent(level + 1);
      out += margin + "| unwrap " +
             (unwrap.conversion.empty() ? unwrap.label : fmt::format("{}({})", unwrap.conversion, unwrap.label));
      for (const LabelFilterExpr& filter : unwrap.filters) out += margin + "| " + print(filter);
    }
    out += fmt::format(" [{}]", gotext::print_range_duration(range.range));
    if (range.offset != 0) out += " offset " + gotext::print_range_duration(range.offset);
    return out;
  }

  [[nodiscard]] std::string grouping(const std::optional<Grouping>& grouping) const {
    if (!grouping) return {};
    if (grouping->labels.empty()) {
      if (exact_) return grouping->without ? " without ()" : " by ()";
      return grouping->without ? " without" : "";
    }
    return fmt::format(" {} ({})", grouping->without ? "without" : "by", listed(grouping->labels));
  }

  [[nodiscard]] std::string split(const RangeAggregation& aggregation, std::size_t level) const {
    std::string out = indent(level) + aggregation.function + "(\n";
    if (aggregation.parameter) out += indent(level + 1) + gotext::print_float_g(*aggregation.parameter) + ",\n";
    return out + range(aggregation.range, level + 1) + '\n' + indent(level) + ')' + grouping(aggregation.grouping);
  }

  [[nodiscard]] std::string split(const VectorAggregation& aggregation, std::size_t level) const {
    std::string out = indent(level) + aggregation.function + grouping(aggregation.grouping) + "(\n";
    if (aggregation.parameter) out += fmt::format("{}{},\n", indent(level + 1), *aggregation.parameter);
    return out + text(aggregation.inner.front(), level + 1) + '\n' + indent(level) + ')';
  }

  [[nodiscard]] std::string operation(const BinaryOperation& operation) const {
    std::string out(symbol(operation.op));
    if (operation.returns_bool) out += " bool";
    if (!operation.matching) return out;
    using Group = BinaryOperation::Matching::Group;
    const auto& matching = *operation.matching;
    if (matching.labels.empty() && !exact_) return out;
    out += fmt::format(" {} ({}) ", matching.on ? "on" : "ignoring", listed(matching.labels));
    if (matching.group != Group::one_to_one) out += matching.group == Group::left ? "group_left" : "group_right";
    if (!matching.include.empty()) out += fmt::format(" ({})", listed(matching.include));
    return out;
  }

  [[nodiscard]] std::string leg(const Expr& expr, std::size_t level) const {
    const bool needs = exact_ && std::holds_alternative<BinaryOperation>(expr.node) && print(expr).size() > kMostInLine;
    if (!needs) return text(expr, level);
    return indent(level) + "(\n" + text(expr, level + 1) + '\n' + indent(level) + ')';
  }

  [[nodiscard]] std::string split(const BinaryOperation& binary, std::size_t level) const {
    return leg(binary.legs.front(), level + 1) + '\n' + indent(level) + operation(binary) + '\n' +
           leg(binary.legs.back(), level + 1);
  }

  [[nodiscard]] std::string split(const LabelReplace& replace, std::size_t level) const {
    std::string out = indent(level) + "label_replace(\n" + text(replace.inner.front(), level + 1);
    for (const std::string* argument : {&replace.destination, &replace.replacement, &replace.source, &replace.regex})
      out += ",\n" + indent(level + 1) + gotext::quote(*argument);
    return out + '\n' + indent(level) + ')';
  }

  [[nodiscard]] std::string split(const Variants& variants, std::size_t level) const {
    std::string out = indent(level) + "variants(\n";
    for (std::size_t i = 0; i < variants.variants.size(); ++i)
      out += text(variants.variants[i], level + 1) + (i + 1 < variants.variants.size() ? ",\n" : "\n");
    // The blanks before the line's end are Loki's.
    return out + indent(level) + ") of (\n" + range(variants.range, level + 1) + indent(level) + "\n)";
  }

  [[nodiscard]] std::string split(const Literal& literal, std::size_t level) const { return indent(level) + print(Expr{literal}); }
  [[nodiscard]] std::string split(const VectorLiteral& vector, std::size_t level) const {
    return indent(level) + print(Expr{vector});
  }

  bool exact_;
};

bool reads_as(const std::string& text, const Expr& expr) {
  const auto read = parse_expr(text, {});
  const auto* again = std::get_if<Expr>(&read);
  return again != nullptr && *again == expr;
}

}  // namespace

std::string print_pretty(const Expr& expr) {
  for (const bool exact : {false, true}) {
    if (std::string text = PrettyPrinter(exact).text(expr, 0); reads_as(text, expr)) return text;
  }
  return print(expr);
}

}  // namespace weir::logql
