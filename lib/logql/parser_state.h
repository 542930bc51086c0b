// The inside of the parser, shared by its files: one reads expressions, one functions, one log ranges and what a log query is made
// of.
//
// Recursive descent over the grammar, taking at each conflict the way that Loki's generated parser takes: what can be read on is
// read on. `!=` after a pipeline is thus a line filter, `or` after a line filter another alternative of it.
//
// A generated parser lists what it expected when that is at most four tokens; the lists given to expect() and unexpected()
// are those.
#pragma once

#include "logql/lexer.h"
#include "logql/parser.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::logql {

// Functions return false once an error is noted; nothing is read after that.
class Parser {
 public:
  Parser(std::string_view query, const ParserOptions& options) : query_(query), options_(options), tokens_(tokenize(query)) {}

  std::variant<Expr, ParseError> run();

 private:
  // ---- tokens and errors

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(position_ + ahead, tokens_.size() - 1)]; }
  [[nodiscard]] TokenKind kind(std::size_t ahead = 0) const { return peek(ahead).kind; }
  const Token& take() { return tokens_[position_ + 1 < tokens_.size() ? position_++ : position_]; }
  bool accept(TokenKind wanted);
  bool unexpected(std::string_view expecting = {});
  bool expect(TokenKind wanted, std::string_view expecting) { return accept(wanted) || unexpected(expecting); }
  bool expect_text(TokenKind wanted, std::string& text, std::string_view expecting);
  bool refuse(std::string_view why, std::size_t offset);
  bool refuse(std::string_view why);
  // Errors that Loki finds in finished expressions: any syntax error goes before them, and of several that of the outermost
  // binary operation, else the first.
  bool defer(std::string_view why, std::size_t offset, bool replaces = false);
  static constexpr int kMaxDepth = 200;
  bool deeper() { return ++depth_ <= kMaxDepth || refuse("the query is nested too deeply", peek().offset); }

  // ---- expressions: parser.cc

  bool whole(Expr& expr);
  bool binary(Expr& left, int minimum);
  bool modifiers(BinaryOperation& operation);
  bool combine(BinaryOperation operation, Expr& left, Expr right, std::size_t offset);
  bool operand(Expr& expr);
  bool literal(Expr& expr);
  // A number that Go cannot read is an error; with `lenient`, as in label filters, 0x10 and the like are 0.
  bool signed_number(double& value, bool lenient = false);
  bool number(double& value, std::string_view expecting, bool lenient = false);
  // An expression that must be a metric: Loki's parser only sees that a log query is none when no operator follows it.
  bool metric(Expr& expr) { return binary(expr, 1) && (!expr.is_log() || unexpected()); }

  // ---- functions: parser_functions.cc

  bool function(Expr& expr);
  bool vector(Expr& expr);
  bool label_replace(Expr& expr, std::size_t offset);
  bool range_aggregation(Expr& expr, const Token& token);
  bool check(const RangeAggregation& aggregation, std::string_view parameter, std::size_t offset);
  bool vector_aggregation(Expr& expr, const Token& token);
  bool check(VectorAggregation& aggregation, const std::optional<std::string>& parameter, std::size_t offset);
  bool optional_grouping(std::optional<Grouping>& grouping);
  // ( a, b )
  bool names(std::vector<std::string>& out);
  bool variants(Expr& expr);

  // ---- log ranges: parser_stages.cc

  bool log_range(LogRange& range, std::string_view expecting);
  [[nodiscard]] bool begins_range() const;
  bool range_selector(LogExpr& log);  // may be left out as in options_
  bool parenthesised_range(LogRange& range);
  // What follows a selector: the range first and then the stages, or the stages first. Within parentheses the range may come
  // behind them: then `complete` stays false.
  bool range_rest(LogRange& range, bool& complete, bool parenthesised);
  bool range_and_offset(LogRange& range, std::string_view expecting);
  bool optional_unwrap(LogRange& range);
  bool unwrap(LogRange& range);

  // ---- selector and stages: parser_stages.cc

  bool selector(LogExpr& log);
  bool match_op(MatchOp& op);
  bool check(const MatcherExpr& matcher, std::size_t offset);

  [[nodiscard]] static std::optional<LineFilterExpr::Op> line_filter_op(TokenKind kind) {
    switch (kind) {
      case TokenKind::contains:
        return LineFilterExpr::Op::contains;
      case TokenKind::not_equal:
        return LineFilterExpr::Op::not_contains;
      case TokenKind::pipe_regex:
        return LineFilterExpr::Op::regex;
      case TokenKind::not_regex:
        return LineFilterExpr::Op::not_regex;
      case TokenKind::pipe_pattern:
        return LineFilterExpr::Op::pattern;
      case TokenKind::not_pattern:
        return LineFilterExpr::Op::not_pattern;
      default:
        return std::nullopt;
    }
  }

  [[nodiscard]] bool is_stage_start() const { return kind() == TokenKind::pipe || line_filter_op(kind()); }
  // unwrap is left to log ranges; anywhere else it is a syntax error, as for Loki.
  bool stages(LogExpr& log, bool in_range = false);
  bool line_filter(LineFilterExpr::Op op, LogExpr& log, std::size_t offset);
  bool pipe_stage(StageExpr::Variant& node, std::size_t offset);
  bool check(const RegexpExpr& regexp, std::size_t offset);
  // [ a, b="c" ]
  bool extractions(std::vector<Extraction>& out);
  bool label_format(StageExpr::Variant& node);
  bool label_selection(StageExpr::Variant& node);

  // ---- label filters: parser_stages.cc

  // `and` binds tighter than `or`; a comma or nothing means and, and takes all that follows as its right side.
  bool label_filter(LabelFilterExpr& left, int minimum, std::string_view expecting);
  bool label_filter_primary(LabelFilterExpr& filter, std::string_view expecting);
  bool constant(LabelFilterExpr& filter);

  // ---- validation of the whole: parser.cc

  bool validate(const Expr& expr);
  bool validate_selector(const std::vector<MatcherExpr>& matchers);
  bool validate_node(const LogExpr& log) { return validate_selector(log.matchers); }
  bool validate_node(const RangeAggregation& aggregation) { return validate_selector(aggregation.range.log.matchers); }
  bool validate_node(const VectorAggregation& aggregation) { return validate(aggregation.inner.front()); }
  bool validate_node(const BinaryOperation& operation);
  bool validate_node(const Literal&) { return true; }
  bool validate_node(const LabelReplace& replace) { return validate(replace.inner.front()); }
  bool validate_node(const VectorLiteral&) { return true; }
  bool validate_node(const Variants& variants);

  std::string_view query_;
  ParserOptions options_;
  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  int depth_ = 0;
  ParseError error_;
  std::optional<ParseError> deferred_;
};

}  // namespace weir::logql
