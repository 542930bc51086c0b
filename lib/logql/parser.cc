#include "gotext/quantity.h"
#include "gotext/regex.h"
#include "logql/advice.h"
#include "logql/arithmetic.h"
#include "logql/matcher.h"
#include "logql/parser_state.h"
#include "logql/refusal.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace weir::logql {
namespace {

constexpr std::size_t kMostMessage = 600;
constexpr std::size_t kMostLine = 160;  // of the query, above a caret

std::optional<BinaryOp> binary_op(TokenKind kind) {
  switch (kind) {
    case TokenKind::keyword_or:
      return BinaryOp::or_;
    case TokenKind::keyword_and:
      return BinaryOp::and_;
    case TokenKind::keyword_unless:
      return BinaryOp::unless;
    case TokenKind::compare_equal:
      return BinaryOp::equal;
    case TokenKind::not_equal:
      return BinaryOp::not_equal;
    case TokenKind::greater:
      return BinaryOp::greater;
    case TokenKind::greater_equal:
      return BinaryOp::greater_equal;
    case TokenKind::less:
      return BinaryOp::less;
    case TokenKind::less_equal:
      return BinaryOp::less_equal;
    case TokenKind::add:
      return BinaryOp::add;
    case TokenKind::sub:
      return BinaryOp::sub;
    case TokenKind::mul:
      return BinaryOp::mul;
    case TokenKind::div:
      return BinaryOp::div;
    case TokenKind::mod:
      return BinaryOp::mod;
    case TokenKind::pow:
      return BinaryOp::pow;
    default:
      return std::nullopt;
  }
}

int precedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::or_:
      return 1;
    case BinaryOp::and_:
    case BinaryOp::unless:
      return 2;
    case BinaryOp::add:
    case BinaryOp::sub:
      return 4;
    case BinaryOp::mul:
    case BinaryOp::div:
    case BinaryOp::mod:
      return 5;
    case BinaryOp::pow:
      return 6;
    default:
      return 3;
  }
}

}  // namespace

std::variant<Expr, ParseError> Parser::run() {
  Expr expr;
  if (query_.size() >= kMaxQueryBytes) return semantic_error(query_, peek().text);
  if (whole(expr) && validate(expr)) return expr;
  return std::move(error_);
}

bool Parser::accept(TokenKind wanted) {
  if (kind() != wanted) return false;
  take();
  return true;
}

bool Parser::unexpected(std::string_view expecting) {
  const Token& token = peek();
  error_.line = token.line;
  error_.column = token.column;
  error_.offset = token.offset;
  const std::string why = token.kind == TokenKind::error ? token.text
                                                         : fmt::format("syntax error: unexpected {}{}{}", token.name(),
                                                                       expecting.empty() ? "" : ", expecting ", expecting);
  if (query_.empty()) {
    error_.message = "parse error : " + why;
    return false;
  }
  error_.message = fmt::format("parse error at line {}, col {}: {}", token.line_is_lost ? 0 : token.line, token.column, why);
  error_.why = why;
  return false;
}

bool Parser::expect_text(TokenKind wanted, std::string& text, std::string_view expecting) {
  if (kind() != wanted) return unexpected(expecting);
  text = take().text;
  return true;
}

bool Parser::refuse(std::string_view why, std::size_t offset) {
  error_ = semantic_error(query_, why, offset);
  return false;
}

bool Parser::refuse(std::string_view why) {
  error_ = semantic_error(query_, why);
  return false;
}

bool Parser::defer(std::string_view why, std::size_t offset, bool replaces) {
  if (!deferred_ || replaces) deferred_ = semantic_error(query_, why, offset);
  return true;
}

bool Parser::whole(Expr& expr) {
  const bool without_selector = options_.selector_optional && (kind() == TokenKind::end || is_stage_start());
  if (without_selector) {
    LogExpr log;
    if (!stages(log)) return false;
    expr.node = std::move(log);
  } else if (!binary(expr, 1)) {
    return false;
  }
  if (kind() != TokenKind::end) return unexpected();
  if (!deferred_) return true;
  error_ = std::move(*deferred_);
  return false;
}

bool Parser::binary(Expr& left, int minimum) {
  if (!deeper() || !operand(left)) return false;
  while (const auto op = binary_op(kind())) {
    const int level = precedence(*op);
    if (level < minimum) break;
    const std::size_t offset = take().offset;
    BinaryOperation operation;
    operation.op = *op;
    Expr right;
    if (!modifiers(operation) || !binary(right, *op == BinaryOp::pow ? level : level + 1)) return false;
    if (!combine(std::move(operation), left, std::move(right), offset)) return false;
  }
  --depth_;
  return true;
}

bool Parser::modifiers(BinaryOperation& operation) {
  using Group = BinaryOperation::Matching::Group;
  operation.returns_bool = accept(TokenKind::keyword_bool);
  if (kind() != TokenKind::keyword_on && kind() != TokenKind::keyword_ignoring) return true;
  BinaryOperation::Matching matching;
  matching.on = take().kind == TokenKind::keyword_on;
  if (!names(matching.labels)) return false;
  if (kind() == TokenKind::keyword_group_left || kind() == TokenKind::keyword_group_right) {
    matching.group = take().kind == TokenKind::keyword_group_left ? Group::left : Group::right;
    if (kind() == TokenKind::open_paren && !names(matching.include)) return false;
  }
  operation.matching = std::move(matching);
  return true;
}

bool Parser::combine(BinaryOperation operation, Expr& left, Expr right, std::size_t offset) {
  for (const auto& [leg, side] : {std::pair(&left, "left"), std::pair(&right, "right")}) {
    const auto* log = std::get_if<LogExpr>(&leg->node);
    if (log == nullptr) continue;
    defer(fmt::format("unexpected type for {} leg of binary operation ({}): *syntax.{}", side, symbol(operation.op),
                      log->stages.empty() ? "MatchersExpr" : "PipelineExpr"),
          offset, true);
    left.node = Literal{};
    return true;
  }
  const auto* left_literal = std::get_if<Literal>(&left.node);
  const auto* right_literal = std::get_if<Literal>(&right.node);
  if (is_set_operation(operation.op)) {
    const Literal* literal = left_literal != nullptr ? left_literal : right_literal;
    if (literal != nullptr) {
      defer(fmt::format("unexpected literal for {} leg of logical/set binary operation ({}): {:f}",
                        left_literal != nullptr ? "left" : "right", symbol(operation.op), literal->value),
            offset, true);
    }
  }
  if (left_literal != nullptr && right_literal != nullptr) {
    left.node = Literal{operate(operation.op, left_literal->value, right_literal->value, false).value_or(0)};
    return true;
  }
  operation.legs.push_back(std::move(left));
  operation.legs.push_back(std::move(right));
  left.node = std::move(operation);
  return true;
}

bool Parser::operand(Expr& expr) {
  switch (kind()) {
    case TokenKind::open_brace: {
      LogExpr log;
      if (!selector(log) || !stages(log)) return false;
      expr.node = std::move(log);
      return true;
    }
    case TokenKind::open_paren:
      take();
      return binary(expr, 1) && expect(TokenKind::close_paren, {});
    case TokenKind::number:
    case TokenKind::add:
    case TokenKind::sub:
      return literal(expr);
    case TokenKind::function:
      return function(expr);
    case TokenKind::keyword_variants:
      return variants(expr);
    default:
      return unexpected();
  }
}

bool Parser::literal(Expr& expr) {
  double value = 0;
  if (!signed_number(value)) return false;
  expr.node = Literal{value};
  return true;
}

bool Parser::signed_number(double& value, bool lenient) {
  const TokenKind sign = kind();
  if (sign == TokenKind::add || sign == TokenKind::sub) take();
  if (!number(value, "NUMBER", lenient)) return false;
  if (sign == TokenKind::sub) value = -value;
  return true;
}

bool Parser::number(double& value, std::string_view expecting, bool lenient) {
  if (kind() != TokenKind::number) return unexpected(expecting);
  const Token& token = take();
  const auto parsed = gotext::parse_float(token.text);
  if (!parsed) {
    const std::string why = gotext::float_complaint(token.text);
    if (!lenient || why.ends_with("out of range")) return defer("unable to parse literal as a float: " + why, token.offset);
    value = 0;
    return true;
  }
  value = *parsed;
  return true;
}

bool Parser::validate(const Expr& expr) {
  if (options_.selector_optional || !options_.selector_must_match) return true;
  return std::visit([&](const auto& node) { return validate_node(node); }, expr.node);
}

bool Parser::validate_selector(const std::vector<MatcherExpr>& matchers) {
  for (const MatcherExpr& expr : matchers) {
    auto matcher = Matcher::compile(expr);
    if (matcher.ok() && !matcher->matches("")) return true;
  }
  return refuse(kNoMatcher);
}

bool Parser::validate_node(const BinaryOperation& operation) {
  return std::all_of(operation.legs.begin(), operation.legs.end(), [&](const Expr& leg) { return validate(leg); });
}

bool Parser::validate_node(const Variants& variants) {
  return validate_selector(variants.range.log.matchers) &&
         std::all_of(variants.variants.begin(), variants.variants.end(), [&](const Expr& variant) { return validate(variant); });
}

std::string ParseError::caret(std::string_view query) const {
  if (line == 0) return {};
  const std::size_t begin = offset == 0 ? 0 : query.rfind('\n', offset - 1) + 1;
  const std::size_t end = std::min(query.find('\n', begin), query.size());
  const std::size_t at = std::min(offset, query.size());
  // Of a long line what stands around the place.
  std::size_t from = begin;
  if (end - begin > kMostLine && at - begin > kMostLine / 2) from = at - kMostLine / 2;
  while (from > begin && (static_cast<unsigned char>(query[from]) & 0xc0) == 0x80) --from;
  std::string out = from > begin ? "…" : "";
  std::string below = from > begin ? " " : "";
  out += clip(query.substr(from, end - from), kMostLine);
  out += '\n';
  // Tabs stay tabs, so that the caret stands below its column however wide they are shown.
  for (std::size_t i = from; i < at; ++i) {
    if ((static_cast<unsigned char>(query[i]) & 0xc0) == 0x80) continue;
    below += query[i] == '\t' ? '\t' : ' ';
  }
  return out + below + '^';
}

base::Error ParseError::to_error(std::string_view query) const {
  const std::string text = why.empty() ? message : fmt::format("parse error at line {}, col {}: {}", line, column, why);
  base::Error error{.code = base::Code::config, .message = clip(text, kMostMessage), .hint = caret(query)};
  error.text = query;
  if (line > 0) error.offset = offset;
  return error;
}

ParseError semantic_error(std::string_view query, std::string_view why, std::optional<std::size_t> offset) {
  ParseError error;
  error.message = fmt::format("parse error : {}", why);
  if (!offset) return error;
  error.offset = std::min(*offset, query.size());
  error.line = 1;
  error.column = 1;
  for (std::size_t i = 0; i < error.offset; ++i) {
    if (query[i] == '\n') {
      ++error.line;
      error.column = 1;
    } else if ((static_cast<unsigned char>(query[i]) & 0xc0) != 0x80) {
      ++error.column;
    }
  }
  return error;
}

std::variant<Expr, ParseError> parse_expr(std::string_view query, const ParserOptions& options) {
  return Parser(query, options).run();
}

base::Result<Expr> parse(std::string_view query, const ParserOptions& options) {
  auto parsed = parse_expr(query, options);
  if (auto* error = std::get_if<ParseError>(&parsed)) {
    const Advice advice = advise(query, *error, options);
    if (advice.text.empty()) return error->to_error(query);
    // Where the message names another column than that of the caret, the advice says its own.
    const ParseError place = semantic_error(query, "", advice.offset);
    const bool elsewhere = !error->why.empty() && (place.column != error->column || place.line != error->line);
    error->offset = advice.offset;
    base::Error out = error->to_error(query);
    out.hint += '\n' + (elsewhere ? fmt::format("at col {}: {}", place.column, advice.text) : advice.text);
    return out;
  }
  return std::get<Expr>(std::move(parsed));
}

}  // namespace weir::logql
