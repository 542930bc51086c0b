#include "gotext/regex.h"
#include "logql/matcher.h"
#include "logql/parser_state.h"
#include "logql/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::logql {

bool Parser::log_range(LogRange& range, std::string_view expecting) {
  if (!deeper()) return false;
  if (accept(TokenKind::open_paren)) {
    if (!parenthesised_range(range)) return false;
  } else if (begins_range()) {
    bool complete = false;
    if (!range_selector(range.log) || !range_rest(range, complete, false)) return false;
  } else {
    return unexpected(expecting);
  }
  --depth_;
  return true;
}

bool Parser::begins_range() const {
  return kind() == TokenKind::open_brace || (options_.selector_optional && (kind() == TokenKind::range || is_stage_start()));
}

bool Parser::range_selector(LogExpr& log) { return kind() != TokenKind::open_brace || selector(log); }

bool Parser::parenthesised_range(LogRange& range) {
  if (kind() == TokenKind::open_paren) return log_range(range, "{ or (") && expect(TokenKind::close_paren, ")");
  if (!begins_range()) return unexpected("{ or (");
  bool complete = false;
  if (!range_selector(range.log) || !range_rest(range, complete, true)) return false;
  if (!expect(TokenKind::close_paren, complete ? ")" : "")) return false;
  if (complete) return true;
  const bool bare = range.log.stages.empty() && !range.unwrap;
  if (!range_and_offset(range, "RANGE")) return false;
  if (!bare || kind() != TokenKind::pipe) return true;
  take();
  return kind() == TokenKind::keyword_unwrap ? unwrap(range) : unexpected("unwrap");
}

bool Parser::range_rest(LogRange& range, bool& complete, bool parenthesised) {
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

bool Parser::range_and_offset(LogRange& range, std::string_view expecting) {
  if (kind() != TokenKind::range) return unexpected(expecting);
  range.range = take().duration;
  if (!accept(TokenKind::keyword_offset)) return true;
  if (kind() != TokenKind::duration) return unexpected("DURATION");
  range.offset = take().duration;
  return true;
}

bool Parser::optional_unwrap(LogRange& range) {
  if (kind() != TokenKind::pipe || kind(1) != TokenKind::keyword_unwrap) return true;
  take();
  return unwrap(range);
}

bool Parser::unwrap(LogRange& range) {
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

bool Parser::selector(LogExpr& log) {
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

bool Parser::match_op(MatchOp& op) {
  switch (kind()) {
    case TokenKind::equal:
      op = MatchOp::equal;
      break;
    case TokenKind::not_equal:
      op = MatchOp::not_equal;
      break;
    case TokenKind::regex:
      op = MatchOp::regex;
      break;
    case TokenKind::not_regex:
      op = MatchOp::not_regex;
      break;
    default:
      return false;
  }
  take();
  return true;
}

bool Parser::check(const MatcherExpr& matcher, std::size_t offset) {
  auto compiled = Matcher::compile(matcher);
  return compiled.ok() || refuse(compiled.error().message, offset);
}

bool Parser::stages(LogExpr& log, bool in_range) {
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

bool Parser::line_filter(LineFilterExpr::Op op, LogExpr& log, std::size_t offset) {
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

bool Parser::pipe_stage(StageExpr::Variant& node, std::size_t offset) {
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
    case TokenKind::keyword_unpack:
      take();
      node = UnpackExpr{};
      return true;
    case TokenKind::keyword_decolorize:
      take();
      node = DecolorizeExpr{};
      return true;
    case TokenKind::keyword_line_format: {
      take();
      LineFormatExpr format;
      if (!expect_text(TokenKind::string, format.text, "STRING")) return false;
      node = std::move(format);
      return true;
    }
    case TokenKind::keyword_label_format:
      take();
      return label_format(node);
    case TokenKind::keyword_drop:
    case TokenKind::keyword_keep:
      return label_selection(node);
    case TokenKind::identifier:
    case TokenKind::open_paren: {
      LabelFilterExpr filter;
      if (!label_filter(filter, 0, {})) return false;
      node = std::move(filter);
      return true;
    }
    default:
      return unexpected();
  }
}

bool Parser::check(const RegexpExpr& regexp, std::size_t offset) {
  auto compiled = gotext::Regex::compile(regexp.pattern);
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

bool Parser::extractions(std::vector<Extraction>& out) {
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

bool Parser::label_format(StageExpr::Variant& node) {
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

bool Parser::label_selection(StageExpr::Variant& node) {
  LabelSelectionExpr selection;
  selection.keep = take().kind == TokenKind::keyword_keep;
  do {
    LabelSelectionExpr::Item item;
    const std::size_t offset = peek().offset;
    if (!expect_text(TokenKind::identifier, item.matcher.name, "IDENTIFIER")) return false;
    item.has_value = match_op(item.matcher.op);
    if (item.has_value && (!expect_text(TokenKind::string, item.matcher.value, "STRING") || !check(item.matcher, offset)))
      return false;
    selection.items.push_back(std::move(item));
  } while (accept(TokenKind::comma));
  node = std::move(selection);
  return true;
}

bool Parser::label_filter(LabelFilterExpr& left, int minimum, std::string_view expecting) {
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

bool Parser::label_filter_primary(LabelFilterExpr& filter, std::string_view expecting) {
  if (accept(TokenKind::open_paren)) return label_filter(filter, 0, "IDENTIFIER or (") && expect(TokenKind::close_paren, {});
  const std::size_t offset = peek().offset;
  if (!expect_text(TokenKind::identifier, filter.matcher.name, expecting)) return false;
  const TokenKind op = kind();
  switch (op) {
    case TokenKind::equal:
    case TokenKind::compare_equal:
      filter.comparison = Comparison::equal;
      break;
    case TokenKind::not_equal:
      filter.comparison = Comparison::not_equal;
      break;
    case TokenKind::greater:
      filter.comparison = Comparison::greater;
      break;
    case TokenKind::greater_equal:
      filter.comparison = Comparison::greater_equal;
      break;
    case TokenKind::less:
      filter.comparison = Comparison::less;
      break;
    case TokenKind::less_equal:
      filter.comparison = Comparison::less_equal;
      break;
    case TokenKind::regex:
    case TokenKind::not_regex:
      match_op(filter.matcher.op);
      return expect_text(TokenKind::string, filter.matcher.value, "STRING") && check(filter.matcher, offset);
    default:
      return unexpected();
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

bool Parser::constant(LabelFilterExpr& filter) {
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
    case TokenKind::sub:
      filter.kind = Kind::number;
      return signed_number(filter.number, true);
    default:
      return unexpected();
  }
}

}  // namespace weir::logql
