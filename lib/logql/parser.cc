// Recursive descent over the grammar, taking at each conflict the way that Loki's generated parser takes: what can be read on is
// read on. `!=` after a pipeline is thus a line filter, `or` after a line filter another alternative of it.
//
// A generated parser lists what it expected when that is at most four tokens; the lists given to expect() and unexpected()
// are those.
#include "logql/parser.h"

#include "logql/lexer.h"
#include "logql/matcher.h"
#include "logql/pattern.h"
#include "logql/quantity.h"
#include "logql/regex.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace weir::logql {
namespace {

constexpr int kMaxDepth = 200;

constexpr std::string_view kNoMatcher =
    "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~\".*\" "
    "does not meet this requirement, but app=~\".+\" will";

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_range_function(std::string_view name) {
  return name.ends_with("_over_time") || is_one_of(name, {"rate", "rate_counter", "bytes_rate"});
}

std::optional<BinaryOp> binary_op(TokenKind kind) {
  switch (kind) {
    case TokenKind::keyword_or: return BinaryOp::or_;
    case TokenKind::keyword_and: return BinaryOp::and_;
    case TokenKind::keyword_unless: return BinaryOp::unless;
    case TokenKind::compare_equal: return BinaryOp::equal;
    case TokenKind::not_equal: return BinaryOp::not_equal;
    case TokenKind::greater: return BinaryOp::greater;
    case TokenKind::greater_equal: return BinaryOp::greater_equal;
    case TokenKind::less: return BinaryOp::less;
    case TokenKind::less_equal: return BinaryOp::less_equal;
    case TokenKind::add: return BinaryOp::add;
    case TokenKind::sub: return BinaryOp::sub;
    case TokenKind::mul: return BinaryOp::mul;
    case TokenKind::div: return BinaryOp::div;
    case TokenKind::mod: return BinaryOp::mod;
    case TokenKind::pow: return BinaryOp::pow;
    default: return std::nullopt;
  }
}

int precedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::or_: return 1;
    case BinaryOp::and_:
    case BinaryOp::unless: return 2;
    case BinaryOp::add:
    case BinaryOp::sub: return 4;
    case BinaryOp::mul:
    case BinaryOp::div:
    case BinaryOp::mod: return 5;
    case BinaryOp::pow: return 6;
    default: return 3;
  }
}

double fold(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::equal: return a == b ? 1 : 0;
    case BinaryOp::not_equal: return a != b ? 1 : 0;
    case BinaryOp::greater: return a > b ? 1 : 0;
    case BinaryOp::greater_equal: return a >= b ? 1 : 0;
    case BinaryOp::less: return a < b ? 1 : 0;
    case BinaryOp::less_equal: return a <= b ? 1 : 0;
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return b == 0 ? std::nan("") : a / b;
    case BinaryOp::mod: return b == 0 ? std::nan("") : std::fmod(a, b);
    case BinaryOp::pow: return std::pow(a, b);
    default: return 0;
  }
}

// Functions return false once an error is noted; nothing is read after that.
class Parser {
 public:
  Parser(std::string_view query, const ParserOptions& options) : query_(query), options_(options), tokens_(tokenize(query)) {}

  std::variant<Expr, ParseError> run() {
    Expr expr;
    if (query_.size() >= kMaxQueryBytes) return semantic_error(query_, peek().text);
    if (whole(expr) && validate(expr)) return expr;
    return std::move(error_);
  }

 private:
  // ---- tokens and errors

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(position_ + ahead, tokens_.size() - 1)]; }
  [[nodiscard]] TokenKind kind(std::size_t ahead = 0) const { return peek(ahead).kind; }
  const Token& take() { return tokens_[position_ + 1 < tokens_.size() ? position_++ : position_]; }
  bool accept(TokenKind wanted) {
    if (kind() != wanted) return false;
    take();
    return true;
  }

  bool unexpected(std::string_view expecting = {}) {
    const Token& token = peek();
    error_.line = token.line;
    error_.column = token.column;
    error_.offset = token.offset;
    const std::string why = token.kind == TokenKind::error
                                ? token.text
                                : fmt::format("syntax error: unexpected {}{}{}", token.name(), expecting.empty() ? "" : ", expecting ", expecting);
    if (query_.empty()) {
      error_.message = "parse error : " + why;
      return false;
    }
    error_.message = fmt::format("parse error at line {}, col {}: {}", token.line_is_lost ? 0 : token.line, token.column, why);
    return false;
  }
  bool expect(TokenKind wanted, std::string_view expecting) { return accept(wanted) || unexpected(expecting); }
  bool expect_text(TokenKind wanted, std::string& text, std::string_view expecting) {
    if (kind() != wanted) return unexpected(expecting);
    text = take().text;
    return true;
  }
  bool refuse(std::string_view why, std::size_t offset) {
    error_ = semantic_error(query_, why, offset);
    return false;
  }
  bool refuse(std::string_view why) {
    error_ = semantic_error(query_, why);
    return false;
  }
  // Errors that Loki finds in finished expressions: any syntax error goes before them, and of several that of the outermost
  // binary operation, else the first.
  bool defer(std::string_view why, std::size_t offset, bool replaces = false) {
    if (!deferred_ || replaces) deferred_ = semantic_error(query_, why, offset);
    return true;
  }
  bool deeper() { return ++depth_ <= kMaxDepth || refuse("the query is nested too deeply", peek().offset); }

  // ---- expressions

  bool whole(Expr& expr) {
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

  bool binary(Expr& left, int minimum) {
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

  bool modifiers(BinaryOperation& operation) {
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

  bool combine(BinaryOperation operation, Expr& left, Expr right, std::size_t offset) {
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
      left.node = Literal{fold(operation.op, left_literal->value, right_literal->value)};
      return true;
    }
    operation.legs.push_back(std::move(left));
    operation.legs.push_back(std::move(right));
    left.node = std::move(operation);
    return true;
  }

  bool operand(Expr& expr) {
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
      case TokenKind::sub: return literal(expr);
      case TokenKind::function: return function(expr);
      case TokenKind::keyword_variants: return variants(expr);
      default: return unexpected();
    }
  }

  bool literal(Expr& expr) {
    double value = 0;
    if (!signed_number(value)) return false;
    expr.node = Literal{value};
    return true;
  }

  bool signed_number(double& value) {
    const TokenKind sign = kind();
    if (sign == TokenKind::add || sign == TokenKind::sub) take();
    if (!number(value, "NUMBER")) return false;
    if (sign == TokenKind::sub) value = -value;
    return true;
  }

  bool number(double& value, std::string_view expecting) {
    if (kind() != TokenKind::number) return unexpected(expecting);
    const Token& token = take();
    const auto parsed = parse_float(token.text);
    if (!parsed) {
      const bool is_large = token.text.find_first_of("xXoObB") == std::string::npos;
      return defer(fmt::format("unable to parse literal as a float: strconv.ParseFloat: parsing \"{}\": {}", token.text,
                               is_large ? "value out of range" : "invalid syntax"),
                   token.offset);
    }
    value = *parsed;
    return true;
  }

  // An expression that must be a metric: Loki's parser only sees that a log query is none when no operator follows it.
  bool metric(Expr& expr) { return binary(expr, 1) && (!expr.is_log() || unexpected()); }

  bool function(Expr& expr) {
    const Token token = take();
    if (token.text == "vector") return vector(expr);
    if (token.text == "label_replace") return label_replace(expr, token.offset);
    return is_range_function(token.text) ? range_aggregation(expr, token) : vector_aggregation(expr, token);
  }

  bool vector(Expr& expr) {
    VectorLiteral literal;
    if (!expect(TokenKind::open_paren, "(") || !number(literal.value, "NUMBER") || !expect(TokenKind::close_paren, ")")) return false;
    expr.node = literal;
    return true;
  }

  bool label_replace(Expr& expr, std::size_t offset) {
    LabelReplace replace;
    Expr inner;
    if (!expect(TokenKind::open_paren, "(") || !metric(inner)) return false;
    bool first = true;
    for (std::string* text : {&replace.destination, &replace.replacement, &replace.source, &replace.regex}) {
      if (!expect(TokenKind::comma, first ? "" : ",") || !expect_text(TokenKind::string, *text, "STRING")) return false;
      first = false;
    }
    if (!expect(TokenKind::close_paren, ")")) return false;
    if (auto regex = Regex::compile(replace.regex); !regex) {
      defer("invalid regex in label_replace: " + regex.error().message, offset);
    }
    replace.inner.push_back(std::move(inner));
    expr.node = std::move(replace);
    return true;
  }

  bool range_aggregation(Expr& expr, const Token& token) {
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
    if (!log_range(aggregation.range, aggregation.parameter ? "{ or (" : "NUMBER or { or (") || !expect(TokenKind::close_paren, ")")) {
      return false;
    }
    if (!optional_grouping(aggregation.grouping) || !check(aggregation, parameter, token.offset)) return false;
    expr.node = std::move(aggregation);
    return true;
  }

  bool check(const RangeAggregation& aggregation, std::string_view parameter, std::size_t offset) {
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

  bool vector_aggregation(Expr& expr, const Token& token) {
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

  bool check(VectorAggregation& aggregation, const std::optional<std::string>& parameter, std::size_t offset) {
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

  bool optional_grouping(std::optional<Grouping>& grouping) {
    if (kind() != TokenKind::keyword_by && kind() != TokenKind::keyword_without) return true;
    grouping.emplace();
    grouping->without = take().kind == TokenKind::keyword_without;
    return names(grouping->labels);
  }

  // ( a, b )
  bool names(std::vector<std::string>& out) {
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

  bool variants(Expr& expr) {
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

  // ---- log ranges

  bool log_range(LogRange& range, std::string_view expecting) {
    if (!deeper()) return false;
    if (accept(TokenKind::open_paren)) {
      if (!parenthesised_range(range)) return false;
    } else if (kind() == TokenKind::open_brace) {
      bool complete = false;
      if (!selector(range.log) || !range_rest(range, complete, false)) return false;
    } else {
      return unexpected(expecting);
    }
    --depth_;
    return true;
  }

  bool parenthesised_range(LogRange& range) {
    if (kind() == TokenKind::open_paren) return log_range(range, "{ or (") && expect(TokenKind::close_paren, ")");
    if (kind() != TokenKind::open_brace) return unexpected("{ or (");
    bool complete = false;
    if (!selector(range.log) || !range_rest(range, complete, true)) return false;
    if (!expect(TokenKind::close_paren, complete ? ")" : "")) return false;
    if (complete) return true;
    const bool bare = range.log.stages.empty() && !range.unwrap;
    if (!range_and_offset(range, "RANGE")) return false;
    if (!bare || kind() != TokenKind::pipe) return true;
    take();
    return kind() == TokenKind::keyword_unwrap ? unwrap(range) : unexpected("unwrap");
  }

  // What follows a selector: the range first and then the stages, or the stages first. Within parentheses the range may come
  // behind them: then `complete` stays false.
  bool range_rest(LogRange& range, bool& complete, bool parenthesised) {
    if (kind() == TokenKind::range) {
      complete = true;
      return range_and_offset(range, {}) && stages(range.log, true) && optional_unwrap(range);
    }
    if (!stages(range.log, true) || !optional_unwrap(range)) return false;
    if (parenthesised && kind() == TokenKind::close_paren) return true;
    complete = true;
    std::string_view expecting;
    if (range.unwrap) expecting = parenthesised ? "RANGE or ) or |" : "RANGE or |";
    return range_and_offset(range, expecting);
  }

  bool range_and_offset(LogRange& range, std::string_view expecting) {
    if (kind() != TokenKind::range) return unexpected(expecting);
    range.range = take().duration;
    if (!accept(TokenKind::keyword_offset)) return true;
    if (kind() != TokenKind::duration) return unexpected("DURATION");
    range.offset = take().duration;
    return true;
  }

  bool optional_unwrap(LogRange& range) {
    if (kind() != TokenKind::pipe || kind(1) != TokenKind::keyword_unwrap) return true;
    take();
    return unwrap(range);
  }

  bool unwrap(LogRange& range) {
    take();
    UnwrapExpr unwrap;
    if (kind() == TokenKind::conversion) {
      unwrap.conversion = take().text;
      if (!expect(TokenKind::open_paren, "(") || !expect_text(TokenKind::identifier, unwrap.label, "IDENTIFIER") ||
          !expect(TokenKind::close_paren, ")")) {
        return false;
      }
    } else if (!expect_text(TokenKind::identifier, unwrap.label,
                            "IDENTIFIER or BYTES_CONV or DURATION_CONV or DURATION_SECONDS_CONV")) {
      return false;
    }
    while (accept(TokenKind::pipe)) {
      LabelFilterExpr filter;
      if (!label_filter(filter, 0, "IDENTIFIER or (")) return false;
      unwrap.filters.push_back(std::move(filter));
    }
    range.unwrap = std::move(unwrap);
    return true;
  }

  // ---- selector and stages

  bool selector(LogExpr& log) {
    take();
    std::string_view expecting = "IDENTIFIER or }";
    if (accept(TokenKind::close_brace)) return true;
    while (true) {
      MatcherExpr matcher;
      const std::size_t offset = peek().offset;
      if (!expect_text(TokenKind::identifier, matcher.name, expecting)) return false;
      if (!match_op(matcher.op)) return unexpected("= or =~ or !~ or !=");
      if (!expect_text(TokenKind::string, matcher.value, "STRING") || !check(matcher, offset)) return false;
      log.matchers.push_back(std::move(matcher));
      if (accept(TokenKind::close_brace)) return true;
      if (!expect(TokenKind::comma, "} or ,")) return false;
      expecting = "IDENTIFIER";
    }
  }

  bool match_op(MatchOp& op) {
    switch (kind()) {
      case TokenKind::equal: op = MatchOp::equal; break;
      case TokenKind::not_equal: op = MatchOp::not_equal; break;
      case TokenKind::regex: op = MatchOp::regex; break;
      case TokenKind::not_regex: op = MatchOp::not_regex; break;
      default: return false;
    }
    take();
    return true;
  }

  bool check(const MatcherExpr& matcher, std::size_t offset) {
    auto compiled = Matcher::compile(matcher);
    return compiled.ok() || refuse(compiled.error().message, offset);
  }

  [[nodiscard]] static std::optional<LineFilterExpr::Op> line_filter_op(TokenKind kind) {
    switch (kind) {
      case TokenKind::contains: return LineFilterExpr::Op::contains;
      case TokenKind::not_equal: return LineFilterExpr::Op::not_contains;
      case TokenKind::pipe_regex: return LineFilterExpr::Op::regex;
      case TokenKind::not_regex: return LineFilterExpr::Op::not_regex;
      case TokenKind::pipe_pattern: return LineFilterExpr::Op::pattern;
      case TokenKind::not_pattern: return LineFilterExpr::Op::not_pattern;
      default: return std::nullopt;
    }
  }

  [[nodiscard]] bool is_stage_start() const { return kind() == TokenKind::pipe || line_filter_op(kind()); }

  // unwrap is left to log ranges; anywhere else it is a syntax error, as for Loki.
  bool stages(LogExpr& log, bool in_range = false) {
    while (true) {
      const std::size_t offset = peek().offset;
      if (const auto op = line_filter_op(kind())) {
        take();
        if (!line_filter(*op, log, offset)) return false;
        continue;
      }
      if (kind() != TokenKind::pipe) return true;
      if (in_range && kind(1) == TokenKind::keyword_unwrap) return true;
      take();
      StageExpr stage;
      stage.offset = offset;
      if (!pipe_stage(stage.node, offset)) return false;
      log.stages.push_back(std::move(stage));
    }
  }

  bool line_filter(LineFilterExpr::Op op, LogExpr& log, std::size_t offset) {
    using Op = LineFilterExpr::Op;
    const bool negative = op == Op::not_contains || op == Op::not_regex || op == Op::not_pattern;
    LineFilterExpr filter;
    filter.op = op;
    do {
      LineFilterExpr::Argument argument;
      if (accept(TokenKind::ip)) {
        argument.is_ip = true;
        if (!expect(TokenKind::open_paren, "(") || !expect_text(TokenKind::string, argument.text, "STRING") ||
            !expect(TokenKind::close_paren, ")")) {
          return false;
        }
      } else if (!expect_text(TokenKind::string, argument.text, "STRING or ip")) {
        return false;
      }
      if (negative && !filter.arguments.empty()) {  // neither: one filter each
        log.stages.push_back({filter, offset});
        filter.arguments.clear();
      }
      // Loki forgets what stands between the first argument and an ip() that is not the last one.
      if (!negative && filter.arguments.size() > 1 && filter.arguments.back().is_ip) filter.arguments.resize(1);
      filter.arguments.push_back(std::move(argument));
    } while (accept(TokenKind::keyword_or));
    log.stages.push_back({std::move(filter), offset});
    return true;
  }

  bool pipe_stage(StageExpr::Variant& node, std::size_t offset) {
    switch (kind()) {
      case TokenKind::keyword_json: {
        take();
        JsonExpr json;
        if (!extractions(json.extractions)) return false;
        node = std::move(json);
        return true;
      }
      case TokenKind::keyword_logfmt: {
        take();
        LogfmtExpr logfmt;
        while (kind() == TokenKind::parser_flag) (take().text == "--strict" ? logfmt.strict : logfmt.keep_empty) = true;
        if (!extractions(logfmt.extractions)) return false;
        node = std::move(logfmt);
        return true;
      }
      case TokenKind::keyword_regexp: {
        take();
        RegexpExpr regexp;
        if (!expect_text(TokenKind::string, regexp.pattern, "STRING") || !check(regexp, offset)) return false;
        node = std::move(regexp);
        return true;
      }
      case TokenKind::keyword_pattern: {
        take();
        PatternExpr pattern;
        if (!expect_text(TokenKind::string, pattern.pattern, "STRING")) return false;
        if (auto compiled = Pattern::compile_parser(pattern.pattern); !compiled) {
          return refuse("invalid pattern parser: " + compiled.error().message, offset);
        }
        node = std::move(pattern);
        return true;
      }
      case TokenKind::keyword_unpack: take(); node = UnpackExpr{}; return true;
      case TokenKind::keyword_decolorize: take(); node = DecolorizeExpr{}; return true;
      case TokenKind::keyword_line_format: {
        take();
        LineFormatExpr format;
        if (!expect_text(TokenKind::string, format.text, "STRING")) return false;
        node = std::move(format);
        return true;
      }
      case TokenKind::keyword_label_format: take(); return label_format(node);
      case TokenKind::keyword_drop:
      case TokenKind::keyword_keep: return label_selection(node);
      case TokenKind::identifier:
      case TokenKind::open_paren: {
        LabelFilterExpr filter;
        if (!label_filter(filter, 0, {})) return false;
        node = std::move(filter);
        return true;
      }
      default: return unexpected();
    }
  }

  bool check(const RegexpExpr& regexp, std::size_t offset) {
    auto compiled = Regex::compile(regexp.pattern);
    if (!compiled) return refuse("invalid regexp parser: " + compiled.error().message, offset);
    std::vector<std::string_view> seen;
    for (const std::string& name : compiled->group_names()) {
      if (name.empty()) continue;
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        return refuse(fmt::format("invalid regexp parser: duplicate extracted label name '{}'", name), offset);
      }
      seen.push_back(name);
    }
    return !seen.empty() || refuse("invalid regexp parser: at least one named capture must be supplied", offset);
  }

  // [ a, b="c" ]
  bool extractions(std::vector<Extraction>& out) {
    if (kind() != TokenKind::identifier) return true;
    do {
      Extraction extraction;
      if (!expect_text(TokenKind::identifier, extraction.name, "IDENTIFIER")) return false;
      extraction.expression = extraction.name;
      if (accept(TokenKind::equal) && !expect_text(TokenKind::string, extraction.expression, "STRING")) return false;
      out.push_back(std::move(extraction));
    } while (accept(TokenKind::comma));
    return true;
  }

  bool label_format(StageExpr::Variant& node) {
    LabelFormatExpr format;
    do {
      LabelFormatExpr::Item item;
      if (!expect_text(TokenKind::identifier, item.name, "IDENTIFIER") || !expect(TokenKind::equal, "=")) return false;
      item.is_rename = kind() == TokenKind::identifier;
      if (!item.is_rename && kind() != TokenKind::string) return unexpected("IDENTIFIER or STRING");
      item.value = take().text;
      format.items.push_back(std::move(item));
    } while (accept(TokenKind::comma));
    node = std::move(format);
    return true;
  }

  bool label_selection(StageExpr::Variant& node) {
    LabelSelectionExpr selection;
    selection.keep = take().kind == TokenKind::keyword_keep;
    do {
      LabelSelectionExpr::Item item;
      const std::size_t offset = peek().offset;
      if (!expect_text(TokenKind::identifier, item.matcher.name, "IDENTIFIER")) return false;
      item.has_value = match_op(item.matcher.op);
      if (item.has_value && (!expect_text(TokenKind::string, item.matcher.value, "STRING") || !check(item.matcher, offset))) return false;
      selection.items.push_back(std::move(item));
    } while (accept(TokenKind::comma));
    node = std::move(selection);
    return true;
  }

  // ---- label filters

  // `and` binds tighter than `or`; a comma or nothing means and, and takes all that follows as its right side.
  bool label_filter(LabelFilterExpr& left, int minimum, std::string_view expecting) {
    if (!deeper() || !label_filter_primary(left, expecting)) return false;
    while (true) {
      using Kind = LabelFilterExpr::Kind;
      LabelFilterExpr right;
      Kind joined = Kind::both;
      if (kind() == TokenKind::comma || kind() == TokenKind::identifier || kind() == TokenKind::open_paren) {
        accept(TokenKind::comma);
        if (!label_filter(right, 0, "IDENTIFIER or (")) return false;
      } else if (kind() == TokenKind::keyword_and && minimum <= 2) {
        take();
        if (!label_filter(right, 3, "IDENTIFIER or (")) return false;
      } else if (kind() == TokenKind::keyword_or && minimum <= 1) {
        take();
        joined = Kind::either;
        if (!label_filter(right, 2, "IDENTIFIER or (")) return false;
      } else {
        break;
      }
      LabelFilterExpr whole;
      whole.kind = joined;
      whole.legs.push_back(std::move(left));
      whole.legs.push_back(std::move(right));
      left = std::move(whole);
    }
    --depth_;
    return true;
  }

  bool label_filter_primary(LabelFilterExpr& filter, std::string_view expecting) {
    if (accept(TokenKind::open_paren)) return label_filter(filter, 0, "IDENTIFIER or (") && expect(TokenKind::close_paren, {});
    const std::size_t offset = peek().offset;
    if (!expect_text(TokenKind::identifier, filter.matcher.name, expecting)) return false;
    const TokenKind op = kind();
    switch (op) {
      case TokenKind::equal:
      case TokenKind::compare_equal: filter.comparison = Comparison::equal; break;
      case TokenKind::not_equal: filter.comparison = Comparison::not_equal; break;
      case TokenKind::greater: filter.comparison = Comparison::greater; break;
      case TokenKind::greater_equal: filter.comparison = Comparison::greater_equal; break;
      case TokenKind::less: filter.comparison = Comparison::less; break;
      case TokenKind::less_equal: filter.comparison = Comparison::less_equal; break;
      case TokenKind::regex:
      case TokenKind::not_regex:
        match_op(filter.matcher.op);
        return expect_text(TokenKind::string, filter.matcher.value, "STRING") && check(filter.matcher, offset);
      default: return unexpected();
    }
    take();
    const bool takes_text = op == TokenKind::equal || op == TokenKind::not_equal;
    if (takes_text) filter.matcher.op = op == TokenKind::equal ? MatchOp::equal : MatchOp::not_equal;
    if (takes_text && kind() == TokenKind::string) {
      filter.matcher.value = take().text;
      return true;
    }
    if (takes_text && accept(TokenKind::ip)) {
      filter.kind = LabelFilterExpr::Kind::ip;
      filter.comparison = Comparison::equal;
      return expect(TokenKind::open_paren, "(") && expect_text(TokenKind::string, filter.matcher.value, "STRING") &&
             expect(TokenKind::close_paren, ")");
    }
    return constant(filter);
  }

  bool constant(LabelFilterExpr& filter) {
    using Kind = LabelFilterExpr::Kind;
    filter.matcher.op = MatchOp::equal;
    switch (kind()) {
      case TokenKind::duration:
        filter.kind = Kind::duration;
        filter.duration = take().duration;
        return true;
      case TokenKind::bytes:
        filter.kind = Kind::bytes;
        filter.bytes = take().bytes;
        return true;
      case TokenKind::number:
      case TokenKind::add:
      case TokenKind::sub: filter.kind = Kind::number; return signed_number(filter.number);
      default: return unexpected();
    }
  }

  // ---- validation of the whole

  bool validate(const Expr& expr) {
    if (options_.selector_optional || !options_.selector_must_match) return true;
    return std::visit([&](const auto& node) { return validate_node(node); }, expr.node);
  }
  bool validate_selector(const std::vector<MatcherExpr>& matchers) {
    for (const MatcherExpr& expr : matchers) {
      auto matcher = Matcher::compile(expr);
      if (matcher.ok() && !matcher->matches("")) return true;
    }
    return refuse(kNoMatcher);
  }
  bool validate_node(const LogExpr& log) { return validate_selector(log.matchers); }
  bool validate_node(const RangeAggregation& aggregation) { return validate_selector(aggregation.range.log.matchers); }
  bool validate_node(const VectorAggregation& aggregation) { return validate(aggregation.inner.front()); }
  bool validate_node(const BinaryOperation& operation) {
    return std::all_of(operation.legs.begin(), operation.legs.end(), [&](const Expr& leg) { return validate(leg); });
  }
  bool validate_node(const Literal&) { return true; }
  bool validate_node(const LabelReplace& replace) { return validate(replace.inner.front()); }
  bool validate_node(const VectorLiteral&) { return true; }
  bool validate_node(const Variants& variants) {
    return validate_selector(variants.range.log.matchers) &&
           std::all_of(variants.variants.begin(), variants.variants.end(), [&](const Expr& variant) { return validate(variant); });
  }

  std::string_view query_;
  ParserOptions options_;
  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  int depth_ = 0;
  ParseError error_;
  std::optional<ParseError> deferred_;
};

}  // namespace

std::string ParseError::caret(std::string_view query) const {
  if (line == 0) return {};
  const std::size_t begin = offset == 0 ? 0 : query.rfind('\n', offset - 1) + 1;
  const std::size_t end = std::min(query.find('\n', begin), query.size());
  std::string out(query.substr(begin, end - begin));
  out += '\n';
  // Tabs stay tabs, so that the caret stands below its column however wide they are shown.
  for (std::size_t i = begin; i < std::min(offset, query.size()); ++i) {
    if ((static_cast<unsigned char>(query[i]) & 0xc0) == 0x80) continue;
    out += query[i] == '\t' ? '\t' : ' ';
  }
  return out + '^';
}

base::Error ParseError::to_error(std::string_view query) const { return base::Error{base::Code::config, message, caret(query)}; }

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

std::variant<Expr, ParseError> parse_expr(std::string_view query, const ParserOptions& options) { return Parser(query, options).run(); }

base::Result<Expr> parse(std::string_view query, const ParserOptions& options) {
  auto parsed = parse_expr(query, options);
  if (auto* error = std::get_if<ParseError>(&parsed)) return error->to_error(query);
  return std::get<Expr>(std::move(parsed));
}

}  // namespace weir::logql
