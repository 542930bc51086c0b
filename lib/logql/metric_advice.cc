#include "logql/metric_advice.h"

#include "logql/function_advice.h"
#include "logql/function_names.h"
#include "logql/query_words.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {
namespace {

bool is_function(std::string_view name) { return is_range_function(name) || is_metric_function(name); }

class MetricAdviser : public QueryWords {
 public:
  MetricAdviser(std::string_view query, const ParseError& error) : QueryWords(query, error), why_(error.message) {}

  Advice advise() {
    if (query_.empty() || query_.size() >= kMaxQueryBytes) return {};
    using Rule = Advice (MetricAdviser::*)();
    for (const Rule rule : {&MetricAdviser::finished_but_wrong, &MetricAdviser::bad_range, &MetricAdviser::missing_range,
                            &MetricAdviser::grouping, &MetricAdviser::misplaced_offset, &MetricAdviser::unknown_function,
                            &MetricAdviser::metric_name, &MetricAdviser::function_as_stage, &MetricAdviser::unwrapping,
                            &MetricAdviser::parameter_order, &MetricAdviser::stage_behind_function, &MetricAdviser::operators,
                            &MetricAdviser::range_without_function, &MetricAdviser::unclosed}) {
      Advice advice = (this->*rule)();
      if (!advice.text.empty()) return advice;
    }
    return {};
  }

 private:
  [[nodiscard]] bool says(std::string_view text) const { return why_.find(text) != std::string_view::npos; }

  // The function whose parentheses the error stands in.
  [[nodiscard]] std::optional<std::size_t> enclosing_call() const {
    int depth = 0;
    for (std::size_t i = at_; i-- > 0;) {
      if (tokens_[i].kind == TokenKind::close_paren) ++depth;
      if (tokens_[i].kind != TokenKind::open_paren || --depth >= 0) continue;
      depth = 0;
      if (i > 0 && tokens_[i - 1].kind == TokenKind::function) return i - 1;
      // `sum by (app) (`
      std::size_t k = i;
      if (k > 0 && tokens_[k - 1].kind == TokenKind::close_paren) {
        while (k > 0 && tokens_[k - 1].kind != TokenKind::open_paren) --k;
        if (k >= 3 && tokens_[k - 3].kind == TokenKind::function) return k - 3;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] bool has_between(std::size_t first, std::size_t last, TokenKind kind) const {
    return std::any_of(tokens_.begin() + static_cast<std::ptrdiff_t>(first), tokens_.begin() + static_cast<std::ptrdiff_t>(last),
                       [&](const Token& token) { return token.kind == kind; });
  }
  // The text from token `first` to the error, without blanks at its end.
  [[nodiscard]] std::string text_from(std::size_t first) const {
    const std::size_t begin = tokens_[first].offset;
    return clipped(without_blanks(query_.substr(begin, token().offset - begin)));
  }
  [[nodiscard]] std::string example(std::string_view function) const {
    if (function == "quantile_over_time") return R"(quantile_over_time(0.99, {app="NAME"} | logfmt | unwrap FIELD [5m]))";
    if (function == "rate" || function == "count_over_time" || function == "absent_over_time" || function.starts_with("bytes_")) {
      return fmt::format(R"({}({{app="NAME"}} [5m]))", function);
    }
    return fmt::format(R"({}({{app="NAME"}} | logfmt | unwrap FIELD [5m]))", function);
  }

  // What parses, but is refused then: the error lies at the function or operator.
  Advice finished_but_wrong() {
    const std::size_t offset = token().offset;
    const std::string& name = token().text;
    if (says("without unwrap")) {
      return say(offset, "{} needs a number of each line: {}; lines are counted by count_over_time and rate", name, example(name));
    }
    if (says(" with unwrap")) return say(offset, "{} looks at lines; numbers that unwrap reads are added by sum_over_time", name);
    if (says("grouping not allowed for")) return say(offset, "put an aggregation around it: sum by (LABEL) ({}(…))", name);
    if (says("doesn't allow grouping")) return say(offset, "{} takes no by; group within it: {}(sum by (LABEL) (…))", name, name);
    if (says("parameter required for operation quantile_over_time"))
      return say(offset, "the quantile comes first: {}", example(name));
    if (says("parameter required for operation")) return say(offset, "how many comes first: {}(10, …)", name);
    if (says("invalid parameter (must be greater than 0)") || says("invalid parameter")) {
      return say(offset, "{} takes a whole number of at least 1: {}(10, …)", name, name);
    }
    if (says("unsupported parameter for operation") || says("not supported for operation")) {
      return say(offset, "{} takes no number in front", name);
    }
    if (says(" leg of binary operation")) {
      return say(offset, R"(operators take numbers, not lines: count_over_time({{app="NAME"}} [5m]) {} …)", name);
    }
    if (says("leg of logical/set binary operation")) {
      return say(offset, "and, or and unless stand between vectors; a number becomes one with vector(1)");
    }
    if (says("unable to parse literal as a float")) return say(offset, "numbers are written 16, 0.5, 1e3");
    return {};
  }

  // `[5]`, `[1.5h]`, `[5 m]`, `[5minutes]`, `[5m:1m]`, `[5m`.
  Advice bad_range() {
    if (kind() != TokenKind::error || !here().starts_with('[')) return {};
    const std::size_t offset = token().offset;
    const std::size_t close = here().find(']');
    if (close == std::string_view::npos) return say(offset, "the range is not closed: a ] is missing");
    const std::string_view inside = here().substr(1, close - 1);
    if (inside.empty()) return say(offset + 1, "the length of time is missing: [5m]");
    if (inside.find(':') != std::string_view::npos)
      return say(offset + 1, "LogQL has no subqueries; a range is one duration: [5m]");
    if (inside.find_first_not_of("0123456789") == std::string_view::npos) {
      return say(offset + 1, "a duration has a unit: [{}s], [{}m] or [{}h]", clipped(inside), clipped(inside), clipped(inside));
    }
    std::string joined(inside);
    std::erase(joined, ' ');
    if (joined.size() < inside.size() && tokenize("[" + joined + "]").front().kind == TokenKind::range) {
      return say(offset + 1, "durations have no blanks: [{}]", clipped(joined));
    }
    return say(offset + 1, "durations are written 30s, 5m, 1h30m, 7d");
  }

  // `rate({app="x"})`, `sum({app="x"})`, `rate()`, `rate(5)`.
  Advice missing_range() {
    const auto call = enclosing_call();
    if (!call) return {};
    const std::string& name = tokens_[*call].text;
    const bool empty = kind() == TokenKind::close_paren && kind(-1) == TokenKind::open_paren;
    if (is_range_function(name)) {
      if (empty || kind(-1) == TokenKind::open_paren || (kind() == TokenKind::close_paren && kind(-1) == TokenKind::number)) {
        if (kind() == TokenKind::identifier) return {};
        return say(token().offset, "{} takes a selector with a range: {}", name, example(name));
      }
      if (kind() == TokenKind::close_paren && !has_between(*call, at_, TokenKind::range) &&
          has_between(*call, at_, TokenKind::open_brace)) {
        return say(token().offset, "the range is missing: {} [5m])", text_from(*call));
      }
      return {};
    }
    const bool selects = has_between(*call, at_, TokenKind::open_brace) && !has_between(*call, at_, TokenKind::range);
    if (kind() == TokenKind::close_paren && selects) {
      std::size_t brace = *call;
      while (tokens_[brace].kind != TokenKind::open_brace) ++brace;
      return say(tokens_[brace].offset, "{} takes numbers, not lines: {}(count_over_time({} [5m]))", name, name, text_from(brace));
    }
    if (empty && name != "vector") return say(token().offset, R"({} takes a vector: {}(rate({{app="NAME"}} [5m])))", name, name);
    return {};
  }

  // `sum by app (…)`, `by ("app")`.
  Advice grouping() {
    const auto is_by = [](TokenKind kind) { return kind == TokenKind::keyword_by || kind == TokenKind::keyword_without; };
    // Without its parenthesis by is no keyword to the lexer of functions, so that the error stands at by or at the name before it.
    for (const std::ptrdiff_t at : {-1, 0, 1}) {
      if (!is_by(kind(at)) || kind(at + 1) != TokenKind::identifier) continue;
      return say(token(at).offset, "labels stand in parentheses: {} ({})", token(at).text, clipped(token(at + 1).text));
    }
    if (kind() == TokenKind::string) {
      for (std::ptrdiff_t back = -1;
           kind(back) == TokenKind::identifier || kind(back) == TokenKind::comma || kind(back) == TokenKind::open_paren; --back) {
        if (kind(back) == TokenKind::open_paren && is_by(kind(back - 1))) {
          return say(token().offset, "the name of a label has no quotes: {} ({})", token(back - 1).text, clipped(token().text));
        }
      }
    }
    if (is_by(kind()) && kind(-1) == TokenKind::close_paren) return say(token().offset, "an aggregation has one by or without");
    return {};
  }

  // `rate(…) offset 5m`, `offset 5`, `@ 5`.
  Advice misplaced_offset() {
    if (here().starts_with('@')) return say(token().offset, "LogQL has no @; ask at another time, or use offset: [5m] offset 1h");
    if (kind() == TokenKind::keyword_offset) {
      const bool given = kind(1) == TokenKind::duration;
      return say(token().offset, "offset follows the range: [5m] offset {}",
                 given ? clipped(without_blanks(query_.substr(token(1).offset, token(2).offset - token(1).offset))) : "1h");
    }
    if (kind(-1) == TokenKind::keyword_offset) return say(token().offset, "an offset is a duration: offset 5m");
    return {};
  }

  // `increase(…)`, `rates(…)`.
  Advice unknown_function() {
    const Token& word = token();
    const bool grouped = kind(1) == TokenKind::keyword_by || kind(1) == TokenKind::keyword_without;
    if (word.kind != TokenKind::identifier || !(kind(1) == TokenKind::open_paren || grouped)) return {};
    if (at_ > 0 && (kind(-1) == TokenKind::pipe || kind(-1) == TokenKind::keyword_unwrap)) return {};
    const std::string folded = lower_word(word.text);
    const FunctionAdvice instead = instead_of_function(folded);
    if (!instead.advice.empty()) return say(word.offset, "LogQL has no {}; {}", folded, instead.advice);
    if (instead.near.empty()) return {};
    return say(word.offset, "there is no function {}; did you mean {}?", clipped(word.text), instead.near);
  }

  // `http_requests_total{…}`, `rate(http_requests_total[5m])`.
  Advice metric_name() {
    if (kind() != TokenKind::identifier || is_one_of(lower_word(token().text), {"inf", "nan"})) return {};
    const bool operand = at_ == 0 || kind(-1) == TokenKind::open_paren || kind(-1) == TokenKind::comma;
    const bool first = at_ == 0 || enclosing_call().has_value();
    const auto next = kind(1);
    const bool range = next == TokenKind::range || (next == TokenKind::error && from(token(1).offset).starts_with('['));
    if (!operand || !first || within_braces()) return {};
    if (next == TokenKind::open_brace) {
      return say(token().offset, "logs have no metric names; select streams by labels alone: {}",
                 clipped(word_with_braces(token(1).offset)));
    }
    if (range || (at_ > 0 && next == TokenKind::close_paren)) {
      return say(token().offset, R"(logs have no metric names; select streams by labels: {{app="{}"}})", clipped(token().text));
    }
    return {};
  }
  [[nodiscard]] bool within_braces() const {
    return std::count_if(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(at_), [](const Token& one) {
             return one.kind == TokenKind::open_brace;
           }) > std::count_if(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(at_), [](const Token& one) {
             return one.kind == TokenKind::close_brace;
           });
  }
  [[nodiscard]] std::string_view word_with_braces(std::size_t offset) const {
    const std::string_view rest = from(offset);
    return rest.substr(0, std::min(rest.find('}'), rest.size() - 1) + 1);
  }

  // `| count`, `| rate [5m]`, `| sum by (x)`.
  Advice function_as_stage() {
    const std::ptrdiff_t word = kind(-1) == TokenKind::pipe ? 0 : kind(-2) == TokenKind::pipe ? -1 : 1;
    if (word > 0 || (kind(word) != TokenKind::function && kind(word) != TokenKind::identifier) || is_comparison(kind(word + 1)))
      return {};
    const std::string name = lower_word(token(word).text);
    if (is_one_of(name, {"head", "tail", "limit", "first", "last"})) {
      return say(token(word).offset, "there is no stage {}; how many lines come is said outside of the query: --limit 10", name);
    }
    if (is_one_of(name, {"distinct", "uniq", "dedup"})) {
      const std::string field = kind(word + 1) == TokenKind::identifier ? clipped(token(word + 1).text) : "FIELD";
      return say(token(word).offset,
                 "there is no stage {}; how many lines each value has: sum by ({}) (count_over_time({{…}} [1h]))", name, field);
    }
    if (is_one_of(name, {"stats", "timechart", "summarize"}) || name == "count") {
      return say(token(word).offset,
                 R"(to count lines, put a function around the query: sum(count_over_time({{app="NAME"}} [5m])))");
    }
    if (!is_function(name)) return {};
    return say(token(word).offset, "{} stands around a query, not behind it: {}", name,
               is_range_function(name) ? example(name) : fmt::format(R"({}(rate({{app="NAME"}} [5m])))", name));
  }

  // `| unwrap x` outside of a range, `| unwrap x | json`, `| unwrap duration x`.
  Advice unwrapping() {
    const auto unwraps = [&](std::ptrdiff_t at) { return kind(at) == TokenKind::keyword_unwrap; };
    if (unwraps(0) && kind(-1) == TokenKind::pipe) {
      const std::string field = kind(1) == TokenKind::identifier ? clipped(token(1).text) : "FIELD";
      if (!enclosing_call())
        return say(token().offset, R"(unwrap belongs in a range: sum_over_time({{app="NAME"}} | logfmt | unwrap {} [5m]))", field);
      return say(token().offset, "a range has one unwrap");
    }
    if (unwraps(0)) return say(token().offset, "a stage begins with |: | unwrap");
    if (unwraps(-1)) {
      if (kind() == TokenKind::string)
        return say(token().offset, "the name of a field has no quotes: unwrap {}", clipped(token().text));
      return say(token().offset, "unwrap takes the name of a field: unwrap FIELD, unwrap duration(FIELD) or unwrap bytes(FIELD)");
    }
    if (unwraps(-2) && (kind() == TokenKind::identifier || kind() == TokenKind::open_paren)) {
      const std::string name = lower_word(token(-1).text);
      const bool converts = is_one_of(name, {"bytes", "duration", "duration_seconds"});
      const std::string field = kind() == TokenKind::identifier    ? token().text
                                : kind(1) == TokenKind::identifier ? token(1).text
                                                                   : "FIELD";
      if (converts || kind() == TokenKind::open_paren) {
        return say(token(-1).offset, "unwrap reads numbers, durations and sizes: unwrap {}({})",
                   name.starts_with("b") ? "bytes" : "duration", clipped(field));
      }
    }
    // Behind unwrap stand filters on labels alone.
    bool unwrapped = false;
    for (std::size_t i = 0; i < at_; ++i) {
      unwrapped = (unwrapped || tokens_[i].kind == TokenKind::keyword_unwrap) && tokens_[i].kind != TokenKind::range;
    }
    const bool stage = kind(-1) == TokenKind::pipe || is_line_operator(kind());
    if (unwrapped && stage)
      return say(token().offset, "behind unwrap stand only filters on labels; put other stages in front of it");
    return {};
  }

  // `topk(rate(…), 5)`, `topk("5", …)`, `quantile_over_time("0.9", …)`.
  Advice parameter_order() {
    const auto call = enclosing_call();
    if (!call) return {};
    const std::string& name = tokens_[*call].text;
    if (kind() == TokenKind::string && kind(-1) == TokenKind::open_paren) {
      return say(token().offset, "a number has no quotes: {}({}, …)", name, clipped(token().text));
    }
    if (name == "label_replace" && kind() == TokenKind::identifier && kind(-1) == TokenKind::comma) {
      return say(token().offset, "put the text in double quotes: {}", quoted(token().text));
    }
    if (kind() == TokenKind::comma && kind(1) == TokenKind::number && name != "label_replace") {
      return say(token().offset, "the number comes first: {}({}, …)", name, clipped(token(1).text));
    }
    return {};
  }

  // `rate(…) | json`, `rate(…) |= "x"`.
  Advice stage_behind_function() {
    if (kind(-1) != TokenKind::close_paren || !(kind() == TokenKind::pipe || is_line_operator(kind()))) return {};
    if (!has_between(0, at_, TokenKind::range)) {
      return say(token().offset, "stages stand within the parentheses: ({{app=\"NAME\"}} | json)");
    }
    return say(token().offset, R"(stages stand in front of the range: rate({{app="NAME"}} |= "text" [5m]))");
  }

  // `rate(…) = 1`, `-rate(…)`, `group_left` alone, `on app`.
  Advice operators() {
    const std::size_t offset = token().offset;
    const bool behind_metric = kind(-1) == TokenKind::close_paren && has_between(0, at_, TokenKind::range);
    if (behind_metric && kind() == TokenKind::equal) return say(offset, "numbers are compared with ==");
    if (behind_metric && (kind() == TokenKind::regex || kind() == TokenKind::not_regex)) {
      return say(offset, "numbers are compared with ==, !=, <, <=, > and >=");
    }
    if (kind() == TokenKind::string && has_between(0, at_, TokenKind::range) && is_comparison(kind(-1))) {
      return say(offset, "a number has no quotes: {}", clipped(token().text));
    }
    const bool sign = kind(-1) == TokenKind::sub || kind(-1) == TokenKind::add;
    if (sign && (kind() == TokenKind::function || kind() == TokenKind::open_paren)) {
      return say(token(-1).offset, "only a number has a sign: {} * …", kind(-1) == TokenKind::sub ? "-1" : "1");
    }
    if (kind() == TokenKind::keyword_group_left || kind() == TokenKind::keyword_group_right) {
      return say(offset, "{} follows on or ignoring: on (LABEL) {}", token().text, token().text);
    }
    const bool matches = kind(-1) == TokenKind::keyword_on || kind(-1) == TokenKind::keyword_ignoring;
    if (matches && kind() == TokenKind::identifier) {
      return say(offset, "labels stand in parentheses: {} ({})", token(-1).text, clipped(token().text));
    }
    if (kind() == TokenKind::keyword_bool) return say(offset, "bool follows a comparison: > bool 5");
    return {};
  }

  // `count({app="x"} [5m])`, `sum by (pod) ({app="x"} [5m])`.
  [[nodiscard]] Advice range_of_lines(std::size_t call, std::string_view range) const {
    const std::string& name = tokens_[call].text;
    std::size_t brace = call;
    while (brace < at_ && tokens_[brace].kind != TokenKind::open_brace) ++brace;
    if (brace == at_ || is_range_function(name) || has_between(call, at_, TokenKind::keyword_unwrap)) return {};
    const bool counts = name == "count";
    const std::string lines = fmt::format("count_over_time({} {})", text_from(brace), range);
    if (counts && tokens_[call + 1].kind == TokenKind::open_paren) return say(tokens_[call].offset, "to count lines: {}", lines);
    const std::size_t behind = tokens_[call].offset + name.size();
    return say(tokens_[call].offset, "{} takes numbers, not lines: {}{}{})", name, counts ? "sum" : name,
               clipped(query_.substr(behind, tokens_[brace].offset - behind)), lines);
  }

  // `{app="x"} [5m]`.
  Advice range_without_function() {
    if (kind() != TokenKind::range) return {};
    const std::string range = clipped(query_.substr(token().offset, here().find(']') + 1));
    if (const auto call = enclosing_call()) return range_of_lines(*call, range);
    return say(token().offset, "a range stands in a function: count_over_time({} {})", text_from(0), range);
  }

  // `sum(rate(…)`.
  Advice unclosed() {
    if (kind() != TokenKind::end || !enclosing_call()) return {};
    if (!has_between(0, at_, TokenKind::range) && kind(-1) != TokenKind::close_paren) return {};
    return say(token().offset, "a parenthesis is not closed: a ) is missing");
  }

  const std::string_view why_;
};

}  // namespace

Advice advise_on_metrics(std::string_view query, const ParseError& error) { return MetricAdviser(query, error).advise(); }

}  // namespace weir::logql
