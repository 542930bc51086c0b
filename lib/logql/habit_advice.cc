#include "logql/habit_advice.h"

#include "base/suggestion.h"
#include "gotemplate/functions.h"
#include "gotext/unicode.h"
#include "logql/query_words.h"

#include <algorithm>
#include <cctype>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace weir::logql {
namespace {

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

// `app-name` as the name of a label or field.
std::string name_of(std::string_view text) {
  std::string name(text);
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

std::string_view opposite(std::string_view op) {
  if (op == "=" || op == "==") return "!=";
  if (op == "!=") return "=";
  if (op == "=~") return "!~";
  if (op == "!~") return "=~";
  if (op == ">") return "<=";
  if (op == ">=") return "<";
  if (op == "<") return ">=";
  return op == "<=" ? ">" : "";
}

const std::vector<std::string>& template_functions() {
  static const auto* names = [] {
    auto* all = new std::vector<std::string>;
    for (const auto table : {gotemplate::text_functions(), gotemplate::encoding_functions(), gotemplate::number_functions(),
                             gotemplate::time_functions(), gotemplate::builtin_functions()}) {
      for (const gotemplate::Function& one : table) {
        if (one.complaint.empty()) all->emplace_back(one.name);
      }
    }
    return all;
  }();
  return *names;
}

class HabitAdviser : public QueryWords {
 public:
  HabitAdviser(std::string_view query, const ParseError& error, const ParserOptions& options)
      : QueryWords(query, error), why_(error.message), options_(options) {}

  Advice advise() {
    if (query_.empty() || query_.size() >= kMaxQueryBytes) return {};
    using Rule = Advice (HabitAdviser::*)();
    for (const Rule rule : {&HabitAdviser::everything, &HabitAdviser::one_of_values, &HabitAdviser::tilde, &HabitAdviser::excluded,
                            &HabitAdviser::where, &HabitAdviser::negation, &HabitAdviser::sorting, &HabitAdviser::label_stages,
                            &HabitAdviser::joined_filters, &HabitAdviser::quoted_label, &HabitAdviser::name_with_dash,
                            &HabitAdviser::bare_template, &HabitAdviser::label_without_value, &HabitAdviser::variable_of_grafana,
                            &HabitAdviser::number_outside, &HabitAdviser::too_many}) {
      Advice advice = (this->*rule)();
      if (!advice.text.empty()) return advice;
    }
    return {};
  }

  // `{{.msg | uper}}`
  Advice template_function() {
    constexpr std::string_view kBefore = "function \"", kBehind = "\" not defined";
    const std::size_t end = why_.rfind(kBehind);
    const std::size_t begin = end == std::string_view::npos ? end : why_.rfind(kBefore, end);
    if (begin == std::string_view::npos) return {};
    const std::string word(why_.substr(begin + kBefore.size(), end - begin - kBefore.size()));
    std::string_view near = base::nearest(word, template_functions());
    if (near.empty()) near = base::nearest(lower_word(word), template_functions());
    if (near.empty()) return {};
    const std::size_t there = from(token().offset).find(word);
    const std::size_t offset = token().offset + (there == std::string_view::npos ? 0 : there);
    return say(offset, "templates have no function {}; did you mean {}?", clipped(word), near);
  }

 private:
  [[nodiscard]] bool parses(std::string_view query) const { return std::holds_alternative<Expr>(parse_expr(query, options_)); }
  // Whether `text` is right behind a selector.
  [[nodiscard]] bool follows(std::string_view text) const { return parses(R"({a="b"} )" + std::string(text)); }
  [[nodiscard]] bool in_selector() const {
    for (std::size_t i = at_; i-- > 0;) {
      if (tokens_[i].kind == TokenKind::close_brace) return false;
      if (tokens_[i].kind == TokenKind::open_brace) return true;
    }
    return false;
  }
  // Of the query from `offset` up to the next stage or the end.
  [[nodiscard]] std::string_view stage_at(std::size_t offset) const {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const TokenKind one = tokens_[i].kind;
      if (tokens_[i].offset <= offset) continue;
      if (one != TokenKind::pipe && !is_line_operator(one) && one != TokenKind::range && one != TokenKind::end) continue;
      return without_blanks(query_.substr(offset, tokens_[i].offset - offset));
    }
    return without_blanks(from(offset));
  }
  [[nodiscard]] bool adjoins(std::ptrdiff_t at) const {
    return token(at).offset > 0 && query_[token(at).offset - 1] != ' ' && query_[token(at).offset - 1] != '\t';
  }

  // `*`, `{*}`
  Advice everything() {
    if (kind() != TokenKind::mul || (at_ > 0 && kind(-1) != TokenKind::open_brace)) return {};
    const std::string_view rest = without_blanks(from(token().offset + 1));
    if (!rest.empty() && rest != "}") return {};
    if (options_.selector_optional) return say(token().offset, "for all records: {{}}");
    return say(token().offset, R"(a selector names a label; for all records that have the label app: {{app=~".+"}})");
  }

  // `{namespace in ("a", "b")}`, `| level not in ("a")`
  Advice one_of_values() {
    const bool excludes = lower_word(token().text) == "not";
    const std::ptrdiff_t at = excludes ? 1 : 0;
    if (lower_word(token(at).text) != "in" || kind(-1) != TokenKind::identifier || kind(at + 1) != TokenKind::open_paren) return {};
    std::string values;
    std::ptrdiff_t next = at + 2;
    for (; kind(next) == TokenKind::string && is_plain_word(token(next).text); next += kind(next + 1) == TokenKind::comma ? 2 : 1) {
      (values += values.empty() ? "" : "|") += token(next).text;
    }
    if (values.empty() || kind(next) != TokenKind::close_paren) values = "A|B";
    const std::string matcher = clipped(token(-1).text) + (excludes ? "!~" : "=~") + quoted(values);
    if (in_selector()) return say(token().offset, "LogQL has no in; for several values: {{{}}}", matcher);
    return kind(-2) == TokenKind::pipe ? say(token().offset, "LogQL has no in; for several values: | {}", matcher) : Advice{};
  }

  // `|=~ "a"`, `{…} ~ "a"`, `{app~="a"}`, `| level ~ "a"`
  Advice tilde() {
    if (!here().starts_with('~')) return {};
    const std::size_t offset = token().offset;
    const bool equal = kind(1) == TokenKind::equal;
    const Token& text = token(equal ? 2 : 1);
    if (text.kind != TokenKind::string) return {};
    if (kind(-1) == TokenKind::contains && adjoins(0)) {
      return say(token(-1).offset, "a line filter with a regular expression: |~ {}", quoted(text.text));
    }
    if (kind(-1) == TokenKind::identifier && (in_selector() || kind(-2) == TokenKind::pipe)) {
      const std::string matcher = clipped(token(-1).text) + "=~" + quoted(text.text);
      if (in_selector()) return say(offset, "a label is matched with =~: {{{}}}", matcher);
      return say(offset, "a label is matched with =~: | {}", matcher);
    }
    if (kind(-1) != TokenKind::close_brace && kind(-1) != TokenKind::string) return {};
    return in_selector() ? Advice{} : say(offset, "a line filter with a regular expression: |~ {}", quoted(text.text));
  }

  // `!| "x"`, `!|= "x"`
  Advice excluded() {
    if (at_ == 0 || !here().starts_with("!|")) return {};
    std::ptrdiff_t next = 1;
    while (next <= 2 && kind(next) != TokenKind::string) ++next;
    if (kind(next) != TokenKind::string) return {};
    const bool regex = here().starts_with("!|~");
    return say(token().offset, "a line filter that excludes: {} {}", regex ? "!~" : "!=", quoted(token(next).text));
  }

  // `| where level="x"`
  Advice where() {
    if (kind(-2) != TokenKind::pipe || kind(-1) != TokenKind::identifier || kind() != TokenKind::identifier) return {};
    const std::string word = lower_word(token(-1).text);
    if (!is_one_of(word, {"where", "filter"}) || !is_comparison(kind(1))) return {};
    std::string filter(stage_at(token().offset));
    if (!follows("| " + filter)) {
      const std::string value = kind(2) == TokenKind::string ? token(2).text : std::string(word_at(token(2).offset));
      const std::string_view op = kind(1) == TokenKind::compare_equal ? "=" : std::string_view(token(1).text);
      filter = token().text + std::string(op) + gotext::quote(value);
    }
    if (!follows("| " + filter)) return {};
    return say(token(-1).offset, "a filter on labels has no {} in front: | {}", word, clipped(filter));
  }

  // `| !(level="x")`, `| !level="x"`
  Advice negation() {
    const bool behind = kind(-2) == TokenKind::pipe && from(token(-1).offset).starts_with('!');
    if (!behind || token(-1).text != "!") return {};
    const std::ptrdiff_t at = kind() == TokenKind::open_paren ? 1 : 0;
    if (kind(at) == TokenKind::identifier && is_comparison(kind(at + 1))) {
      const bool closed = at == 0 || kind(at + 3) == TokenKind::close_paren;
      const Token& value = token(at + 2);
      const std::string text = value.kind == TokenKind::string ? quoted(value.text) : clipped(word_at(value.offset));
      const std::string filter = clipped(token(at).text) + std::string(opposite(token(at + 1).text)) + text;
      if (closed && follows("| " + filter))
        return say(token(-1).offset, "LogQL has no !; turn the comparison around: | {}", filter);
    }
    return say(token(-1).offset, "LogQL has no !; it compares with != and !~");
  }

  // `| sort by time`
  Advice sorting() {
    if (kind(-2) != TokenKind::pipe || kind(-1) != TokenKind::identifier) return {};
    if (!is_one_of(lower_word(token(-1).text), {"sort", "order", "sort_by", "order_by", "orderby", "reverse"})) return {};
    if (is_comparison(kind())) return {};
    return say(token(-1).offset, "there is no stage {}; records come in the order of time", token(-1).text);
  }

  // `| keep_labels a`
  Advice label_stages() {
    if (kind(-2) != TokenKind::pipe || kind(-1) != TokenKind::identifier || kind() != TokenKind::identifier) return {};
    const std::string word = lower_word(token(-1).text);
    const bool keeps = is_one_of(word, {"keep_labels", "keep_label", "label_keep", "labelkeep", "keeplabels"});
    if (!keeps && !is_one_of(word, {"drop_labels", "drop_label", "label_drop", "labeldrop", "droplabels"})) return {};
    const std::string stage = std::string(keeps ? "| keep " : "| drop ") + std::string(stage_at(token().offset));
    if (!follows(stage)) return {};
    return say(token(-1).offset, "there is no stage {}; the stage is {}: {}", word, keeps ? "keep" : "drop", clipped(stage));
  }

  // `|= "a" or |= "b"`, `|= "a" || |= "b"`, `|= "a" and |= "b"`
  Advice joined_filters() {
    const bool bars = kind() == TokenKind::pipe && kind(-1) == TokenKind::pipe && adjoins(0);
    const std::ptrdiff_t second = bars ? 1 : 0;  // the operator behind the word
    constexpr std::ptrdiff_t first = -3;         // and the one in front of it, with its text
    if (kind(first + 1) != TokenKind::string || kind(second + 1) != TokenKind::string) return {};
    const std::string_view op = from(token(second).offset).substr(0, 2);
    const bool filters = is_one_of(op, {"|=", "|~", "!=", "!~", "|>", "!>"});
    if (!filters || (!is_line_operator(kind(first)) && kind(first) != TokenKind::not_equal && kind(first) != TokenKind::not_regex))
      return {};
    const std::string_view before = from(token(first).offset).substr(0, 2);
    const std::string left = std::string(before) + ' ' + quoted(token(first + 1).text);
    const std::string right = quoted(token(second + 1).text);
    if (!bars && kind(-1) == TokenKind::keyword_and) {
      return say(token(-1).offset, "line filters follow each other, with nothing between: {} {} {}", left, op, right);
    }
    if ((!bars && kind(-1) != TokenKind::keyword_or) || before != op || op.starts_with('!')) return {};
    return say(token(-1).offset, "the operator of a line filter is written once: {} or {}", left, right);
  }

  // `{"namespace"="x"}`
  Advice quoted_label() {
    if (kind() != TokenKind::string || !in_selector() || !is_comparison(kind(1)) || kind(2) != TokenKind::string) return {};
    if (kind(-1) != TokenKind::open_brace && kind(-1) != TokenKind::comma) return {};
    const std::string matcher = clipped(name_of(token().text)) + token(1).text + quoted(token(2).text);
    if (!parses('{' + matcher + '}')) return {};
    return say(token().offset, "the name of a label has no quotes: {{{}}}", matcher);
  }

  // `{app-name="x"}`, `| json | app-name="x"`
  Advice name_with_dash() {
    if (kind() != TokenKind::sub || kind(-1) != TokenKind::identifier || !adjoins(0) || kind(1) == TokenKind::end || !adjoins(1))
      return {};
    const std::string_view rest = from(token(-1).offset);
    const std::string_view name = rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                                        "0123456789_-."));
    const std::string_view behind = without_blanks(rest.substr(name.size()));
    if (behind.empty() || std::string_view("=!<>").find(behind.front()) == std::string_view::npos) return {};
    return say(token(-1).offset, "only letters, digits and _ are used in the name of a {}: {}", in_selector() ? "label" : "field",
               clipped(name_of(name)));
  }

  // `| line_format {{.msg}}`, `| line_format msg`, `| label_format a={{.msg}}`
  Advice bare_template() {
    const bool line = kind(-1) == TokenKind::keyword_line_format;
    const bool label =
        kind(-1) == TokenKind::equal && (kind(-3) == TokenKind::keyword_label_format || kind(-3) == TokenKind::comma);
    if ((!line && !label) || in_selector()) return {};
    const std::string_view rest = here();
    std::string text;
    if (rest.starts_with("{{")) {
      int depth = 0;
      std::size_t end = 0;
      for (; end < rest.size(); ++end) {
        if (rest[end] == '{') ++depth;
        if (rest[end] == '}') --depth;
        if (depth <= 0 && (rest[end] == '|' || rest[end] == '[' || rest[end] == ',')) break;
      }
      text = without_blanks(rest.substr(0, end));
    } else if (line && (kind() == TokenKind::dot || kind() == TokenKind::identifier)) {
      const std::string_view name = word_at(token().offset + (kind() == TokenKind::dot ? 1 : 0));
      text = is_plain_word(name) ? "{{." + std::string(name) + "}}" : "";
    }
    if (text.empty()) return {};
    const bool raw = text.find_first_of("\"\\") != std::string::npos && text.find('`') == std::string::npos;
    const std::string quote = raw ? '`' + text + '`' : gotext::quote(text);
    const std::string stage = line ? "| line_format " + quote : fmt::format("| label_format {}={}", clipped(token(-2).text), quote);
    if (!follows(stage)) return {};
    return say(token().offset, "put the template in quotes: {}", stage);
  }

  // `| label_format level`
  Advice label_without_value() {
    if (kind(-2) != TokenKind::keyword_label_format || kind(-1) != TokenKind::identifier) return {};
    if (kind() != TokenKind::end && kind() != TokenKind::pipe) return {};
    return say(token(-1).offset, "label_format says what the label gets, a field or a template: | label_format {}=FIELD",
               clipped(token(-1).text));
  }

  // `[$__interval]`
  Advice variable_of_grafana() {
    if (!here().starts_with("[$")) return {};
    const std::size_t close = here().find(']');
    if (close == std::string_view::npos) return {};
    return say(token().offset + 1, "{} is a variable of Grafana; write a duration: [5m]", clipped(here().substr(1, close - 1)));
  }

  // `topk 5 (…)`
  Advice number_outside() {
    const std::string word = lower_word(token().text);
    if (!is_one_of(word, {"topk", "bottomk", "approx_topk", "quantile_over_time"}) || kind(1) != TokenKind::number) return {};
    return say(token(1).offset, "the number stands in the parentheses: {}({}, …)", word, clipped(token(1).text));
  }

  // `{a="b",}`, `{a="b"}}`, `sum(…))`: without the sign the query parses.
  Advice too_many() {
    const bool comma = kind(-1) == TokenKind::comma;
    const bool closes = kind() == TokenKind::close_brace || kind() == TokenKind::close_paren || kind() == TokenKind::close_bracket;
    if (!closes || at_ == 0) return {};
    const std::size_t offset = token(comma ? -1 : 0).offset;
    std::string without(query_);
    without.erase(offset, 1);
    return parses(without) ? say(offset, "one {} is too many", comma ? ',' : query_[offset]) : Advice{};
  }

  const std::string_view why_;
  const ParserOptions options_;
};

}  // namespace

Advice advise_on_habits(std::string_view query, const ParseError& error, const ParserOptions& options) {
  return HabitAdviser(query, error, options).advise();
}

Advice advise_on_templates(std::string_view query, const ParseError& error) {
  if (query.empty() || query.size() >= kMaxQueryBytes) return {};
  return HabitAdviser(query, error, {}).template_function();
}

}  // namespace weir::logql
