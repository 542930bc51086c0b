#include "gotext/regex.h"
#include "logql/function_names.h"
#include "logql/parser_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace weir::logql {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool Parser::function(Expr& expr) {
  const Token token = take();
  if (token.text == kVectorFunction) return vector(expr);
  if (token.text == "label_replace") return label_replace(expr, token.offset);
  return is_range_function(token.text) ? range_aggregation(expr, token) : vector_aggregation(expr, token);
}

bool Parser::vector(Expr& expr) {
  VectorLiteral literal;
  if (!expect(TokenKind::open_paren, "(") || !number(literal.value, "NUMBER") || !expect(TokenKind::close_paren, ")")) return false;
  expr.node = literal;
  return true;
}

bool Parser::label_replace(Expr& expr, std::size_t offset) {
  LabelReplace replace;
  Expr inner;
  if (!expect(TokenKind::open_paren, "(") || !metric(inner)) return false;
  bool first = true;
  for (std::string* text : {&replace.destination, &replace.replacement, &replace.source, &replace.regex}) {
    if (!expect(TokenKind::comma, first ? "" : ",") || !expect_text(TokenKind::string, *text, "STRING")) return false;
    first = false;
  }
  if (!expect(TokenKind::close_paren, ")")) return false;
  if (auto regex = gotext::Regex::compile("^(?:" + replace.regex + ")$"); !regex) {  // as Loki's error shows it
    defer("invalid regex in label_replace: " + regex.error().message, offset);
  }
  replace.inner.push_back(std::move(inner));
  expr.node = std::move(replace);
  return true;
}

bool Parser::range_aggregation(Expr& expr, const Token& token) {
  RangeAggregation aggregation;
  aggregation.function = token.text;
  if (!expect(TokenKind::open_paren, "(")) return false;
  std::string parameter;
  if (kind() == TokenKind::number) {
    parameter = peek().text;
    double value = 0;
    if (!number(value, {}) || !expect(TokenKind::comma, ",")) return false;
    aggregation.parameter = value;
  }
  if (!log_range(aggregation.range, aggregation.parameter ? "{ or (" : "NUMBER or { or (") ||
      !expect(TokenKind::close_paren, ")")) {
    return false;
  }
  if (!optional_grouping(aggregation.grouping) || !check(aggregation, parameter, token.offset)) return false;
  expr.node = std::move(aggregation);
  return true;
}

bool Parser::check(const RangeAggregation& aggregation, std::string_view parameter, std::size_t offset) {
  const std::string& name = aggregation.function;
  const bool quantile = name == "quantile_over_time";
  if (aggregation.parameter && !quantile) {
    return defer(fmt::format("parameter {} not supported for operation {}", parameter, name), offset);
  }
  if (!aggregation.parameter && quantile) return defer("parameter required for operation " + name, offset);
  if (aggregation.grouping && !is_one_of(name, {"avg_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time",
                                                "max_over_time", "min_over_time", "first_over_time", "last_over_time"})) {
    return defer(fmt::format("grouping not allowed for {} aggregation", name), offset);
  }
  const bool counts = is_one_of(name, {"bytes_over_time", "bytes_rate", "count_over_time"});
  const bool both = is_one_of(name, {"rate", "absent_over_time"});
  if (aggregation.range.unwrap && counts) return defer(fmt::format("invalid aggregation {} with unwrap", name), offset);
  if (!aggregation.range.unwrap && !counts && !both) {
    return defer(fmt::format("invalid aggregation {} without unwrap", name), offset);
  }
  return true;
}

bool Parser::vector_aggregation(Expr& expr, const Token& token) {
  VectorAggregation aggregation;
  aggregation.function = token.text;
  if (!optional_grouping(aggregation.grouping)) return false;
  const bool grouped = aggregation.grouping.has_value();
  if (!expect(TokenKind::open_paren, "(")) return false;
  std::optional<std::string> parameter;
  if (kind() == TokenKind::number && kind(1) == TokenKind::comma) {
    parameter = take().text;
    take();
  }
  Expr inner;
  if (!metric(inner) || !expect(TokenKind::close_paren, {})) return false;
  if (!grouped && !optional_grouping(aggregation.grouping)) return false;
  aggregation.inner.push_back(std::move(inner));
  if (!check(aggregation, parameter, token.offset)) return false;
  if (aggregation.grouping && !aggregation.grouping->without && aggregation.grouping->labels.empty()) aggregation.grouping.reset();
  expr.node = std::move(aggregation);
  return true;
}

bool Parser::check(VectorAggregation& aggregation, const std::optional<std::string>& parameter, std::size_t offset) {
  const std::string& name = aggregation.function;
  if (is_one_of(name, {"topk", "bottomk", "approx_topk"})) {
    if (!parameter) return defer("parameter required for operation " + name, offset);
    if (parameter->find_first_not_of("0123456789") != std::string::npos || parameter->size() > 18) {
      return defer(fmt::format("invalid parameter {}({},", name, *parameter), offset);
    }
    aggregation.parameter = std::stoll(*parameter);
    if (*aggregation.parameter <= 0) {
      return defer(fmt::format("invalid parameter (must be greater than 0) {}({}", name, *parameter), offset);
    }
    if (name == "approx_topk" && aggregation.grouping) {
      return defer(fmt::format("grouping not allowed for {} aggregation", name), offset);
    }
    return true;
  }
  if (parameter) return defer(fmt::format("unsupported parameter for operation {}({},", name, *parameter), offset);
  if (is_one_of(name, {"sort", "sort_desc"}) && aggregation.grouping) {
    return defer("sort and sort_desc doesn't allow grouping by ", offset);
  }
  return true;
}

bool Parser::optional_grouping(std::optional<Grouping>& grouping) {
  if (kind() != TokenKind::keyword_by && kind() != TokenKind::keyword_without) return true;
  grouping.emplace();
  grouping->without = take().kind == TokenKind::keyword_without;
  return names(grouping->labels);
}

bool Parser::names(std::vector<std::string>& out) {
  if (!expect(TokenKind::open_paren, "(")) return false;
  if (accept(TokenKind::close_paren)) return true;
  std::string_view expecting = "IDENTIFIER or )";
  while (true) {
    std::string name;
    if (!expect_text(TokenKind::identifier, name, expecting)) return false;
    out.push_back(std::move(name));
    if (accept(TokenKind::close_paren)) return true;
    if (!expect(TokenKind::comma, ", or )")) return false;
    expecting = "IDENTIFIER";
  }
}

bool Parser::variants(Expr& expr) {
  Variants variants;
  take();
  if (!expect(TokenKind::open_paren, "(")) return false;
  do {
    Expr variant;
    if (!metric(variant)) return false;
    variants.variants.push_back(std::move(variant));
  } while (accept(TokenKind::comma));
  if (!expect(TokenKind::close_paren, {}) || !expect(TokenKind::keyword_of, "of") || !expect(TokenKind::open_paren, "(") ||
      !log_range(variants.range, "{ or (") || !expect(TokenKind::close_paren, ")")) {
    return false;
  }
  expr.node = std::move(variants);
  return true;
}

}  // namespace weir::logql
