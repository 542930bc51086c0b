#include "logql/advice.h"

#include "base/suggestion.h"
#include "base/utf8.h"
#include "gotext/unicode.h"
#include "logql/habit_advice.h"
#include "logql/metric_advice.h"
#include "logql/query_words.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace weir::logql {
namespace {

// What stands where a text is expected and may be meant as one.
bool is_word(TokenKind kind) {
  return kind == TokenKind::identifier || kind == TokenKind::number || kind == TokenKind::duration || kind == TokenKind::bytes ||
         kind == TokenKind::function || kind == TokenKind::sub || kind == TokenKind::div || kind == TokenKind::mul ||
         kind == TokenKind::dot || (kind >= TokenKind::keyword_by && kind <= TokenKind::keyword_of);
}

bool is_stage_keyword(TokenKind kind) {
  switch (kind) {
    case TokenKind::keyword_json:
    case TokenKind::keyword_logfmt:
    case TokenKind::keyword_regexp:
    case TokenKind::keyword_pattern:
    case TokenKind::keyword_unpack:
    case TokenKind::keyword_line_format:
    case TokenKind::keyword_label_format:
    case TokenKind::keyword_decolorize:
    case TokenKind::keyword_drop:
    case TokenKind::keyword_keep:
      return true;
    default:
      return false;
  }
}

const std::vector<std::string>& stage_names() {
  static const auto* names = new std::vector<std::string>{"json",        "logfmt",       "regexp",     "pattern", "unpack",
                                                          "line_format", "label_format", "decolorize", "drop",    "keep"};
  return *names;
}

bool is_unit(std::string_view word) {
  return is_one_of(lower_word(word),
                   {"ns",   "us",     "ms",      "msec", "msecs", "millis", "millisecond", "milliseconds", "s",     "sec",
                    "secs", "second", "seconds", "m",    "min",   "mins",   "minute",      "minutes",      "h",     "hr",
                    "hrs",  "hour",   "hours",   "d",    "day",   "days",   "w",           "week",         "weeks", "b",
                    "byte", "bytes",  "k",       "kb",   "kib",   "mb",     "mib",         "gb",           "gib"});
}

// Looks at the words of the query around the place of the error.
class Adviser : public QueryWords {
 public:
  Adviser(std::string_view query, const ParseError& error, const ParserOptions& options)
      : QueryWords(query, error), free_(options.selector_optional), why_(error.message) {}

  Advice advise() {
    if (query_.empty() || query_.size() >= kMaxQueryBytes) return {};
    if (Advice advice = regular_expression(); !advice.text.empty()) return advice;
    for (const auto rule :
         {&Adviser::other_language, &Adviser::typographic_quotes, &Adviser::single_quotes, &Adviser::broken_string,
          &Adviser::symbols_of_others, &Adviser::wrong_unit, &Adviser::text_instead_of_query, &Adviser::missing_quotes,
          &Adviser::in_selector, &Adviser::after_selector, &Adviser::line_filter_behind_pipe, &Adviser::unknown_stage,
          &Adviser::quoted_where_none_is, &Adviser::field_with_dot}) {
      Advice advice = (this->*rule)();
      if (!advice.text.empty()) return advice;
    }
    return {};
  }

 private:
  [[nodiscard]] bool within_selector() const {
    bool open = false;
    for (std::size_t i = 0; i < at_; ++i) {
      if (tokens_[i].kind == TokenKind::open_brace) open = true;
      if (tokens_[i].kind == TokenKind::close_brace) open = false;
    }
    return open;
  }
  // A whole query that looks for `text` in lines.
  [[nodiscard]] std::string search(std::string_view text) const { return (free_ ? "|= " : "{app=\"NAME\"} |= ") + quoted(text); }
  // The text between typographic or single quotes at `offset`, or the word there.
  [[nodiscard]] std::string_view inside(std::string_view text, std::string_view marks) const {
    const std::size_t length = std::max<std::size_t>(base::utf8_length(text), 1);
    text.remove_prefix(std::min(length, text.size()));
    std::size_t end = text.size();
    for (std::size_t i = 0; i < text.size(); i += std::max<std::size_t>(base::utf8_length(text.substr(i)), 1)) {
      const std::string_view one = text.substr(i, std::max<std::size_t>(base::utf8_length(text.substr(i)), 1));
      if (marks.find(one) == std::string_view::npos) continue;
      end = i;
      break;
    }
    return text.substr(0, end);
  }

  // `{app=~"*shop"}`, `|~ "a(b"`: what RE2 says of it stands in the error.
  Advice regular_expression() {
    if (why_.find("error parsing regexp: ") == std::string_view::npos) return {};
    const auto says = [&](std::string_view what) { return why_.find(what) != std::string_view::npos; };
    const std::size_t offset = token().offset;
    if (says("missing argument to repetition operator")) {
      return say(offset, "regular expressions are not patterns of the shell; any text is `.*`");
    }
    if (says("`(?=`") || says("`(?!`") || says("<=") || says("<!")) {
      return say(offset, "there is no look-ahead or look-behind; use a filter more: != or !~");
    }
    if (says("missing closing )") || says("unexpected )"))
      return say(offset, "a parenthesis that is meant itself is `\\(` or `\\)`");
    if (says("missing closing ]")) return say(offset, "a bracket that is meant itself is `\\[`");
    return {};
  }

  Advice other_language() {
    const std::string word = lower_word(token(-static_cast<std::ptrdiff_t>(at_)).text);
    if (tokens_[0].kind != TokenKind::identifier || at_ > 1) return {};
    if (is_one_of(word, {"select", "where", "from", "search", "source"}) &&
        from(tokens_[0].offset).find(' ') != std::string_view::npos) {
      return say(tokens_[0].offset,
                 "LogQL selects streams, then filters lines and fields: {{app=\"NAME\"}} |= \"text\" | json | status >= 500");
    }
    return {};
  }

  Advice typographic_quotes() {
    static constexpr std::string_view kMarks = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb";
    const std::size_t length = std::max<std::size_t>(base::utf8_length(here()), 1);
    if (here().empty() || length < 2 || kMarks.find(here().substr(0, length)) == std::string_view::npos) return {};
    return say(token().offset, "LogQL does not know typographic quotes; put the text in double quotes: {}",
               quoted(inside(here(), kMarks)));
  }

  Advice single_quotes() {
    if (!here().starts_with('\'')) return {};
    const std::string_view text = inside(here(), "'");
    if (at_ == 0) return say(token().offset, "to search for a text: {}", search(text));
    return say(token().offset, "put the text in double quotes: {}", quoted(text));
  }

  Advice broken_string() {
    if (kind() != TokenKind::error || !(here().starts_with('"') || here().starts_with('`'))) return {};
    std::size_t end = 1;
    const char mark = here()[0];
    while (end < here().size() && here()[end] != mark && (mark == '`' || here()[end] != '\n')) {
      end += here()[end] == '\\' && mark == '"' ? 2 : 1;
    }
    if (end >= here().size() || here()[end] != mark) return say(token().offset, "the closing quote is missing");
    return say(token().offset, "in double quotes a backslash begins an escape; in backquotes it is itself: `{}`",
               clip(here().substr(1, end - 1), kMostWord));
  }

  Advice symbols_of_others() {
    for (const std::size_t offset : {token().offset, token(-1).offset}) {
      if (at_ == 0) break;
      const bool both = from(offset).starts_with("&&");
      if (both && from(offset).substr(2).find_first_not_of(' ') != std::string_view::npos) {
        const char next = from(offset).substr(2)[from(offset).substr(2).find_first_not_of(' ')];
        if (next == '|' || next == '!')
          return say(offset, "line filters follow each other, with nothing between: |= \"a\" |= \"b\"");
      }
      if (both) return say(offset, "LogQL writes and");
      if (from(offset).starts_with("||")) return say(offset, "LogQL writes or");
    }
    return {};
  }

  // `5sec`: a token 5s and a name behind it.
  Advice wrong_unit() {
    for (std::size_t i = at_ + 1; i-- > 1 && i + 3 > at_;) {
      const Token& before = tokens_[i - 1];
      const Token& unit = tokens_[i];
      const bool is_quantity =
          before.kind == TokenKind::number || before.kind == TokenKind::duration || before.kind == TokenKind::bytes;
      if (!is_quantity || unit.kind != TokenKind::identifier) continue;
      const bool joined = query_[unit.offset - 1] != ' ';
      if (!joined && !is_unit(unit.text)) continue;
      // A number joined to a unit that no lexer splits, such as an IP address or a version, is no quantity at all.
      if (is_line_operator(i >= 2 ? tokens_[i - 2].kind : TokenKind::end)) return {};
      return say(before.offset, "durations are written 5s, 1m30s, 250ms and sizes 5KB, 1.5MiB, without a blank");
    }
    return {};
  }

  // `error`, `"error"`, `= error`, `level=error`.
  Advice text_instead_of_query() {
    if (at_ != 0) return {};
    const TokenKind next = kind(1);
    const std::size_t offset = token().offset;
    if (kind() == TokenKind::string) return say(offset, "to search for a text: {}", search(token().text));
    if (kind() == TokenKind::equal || kind() == TokenKind::compare_equal || kind() == TokenKind::regex || here().starts_with('~')) {
      const bool regex = kind() == TokenKind::regex || here().starts_with('~');
      const std::string text = kind(1) == TokenKind::string ? token(1).text : std::string(words_at(token(1).offset));
      if (text.empty()) return {};
      std::string meant = search(text);
      if (regex) meant[meant.find("|=") + 1] = '~';
      return say(offset, "to search for {}: {}", regex ? "a regular expression" : "a text", meant);
    }
    if (is_stage_keyword(kind())) return say(offset, "a stage begins with |: | {}", token().text);
    if (kind() != TokenKind::identifier && kind() != TokenKind::number) return {};
    const bool lucene = from(offset + token().text.size()).starts_with(':');
    if (kind() == TokenKind::identifier && (is_comparison(next) || lucene)) {
      const bool is_text = kind(2) == TokenKind::string;
      const std::string value = is_text ? token(2).text : std::string(word_at(token(2).offset));
      if (value.empty()) return {};
      const std::string_view selector = free_ ? "" : "{app=\"NAME\"} ";
      const bool selects = is_one_of(token(1).text, {"=", "!=", "=~", "!~"});
      if (!selects && !lucene) {
        return say(offset, "to compare a field of the line, parse it first: {}| json | {}", selector, clip(query_, kMostWord));
      }
      const std::string matcher = clip(token().text, kMostWord) + (lucene ? "=" : token(1).text) + quoted(value);
      return say(offset, "for a label of the stream: {{{}}}; for a field of the line: {}| json | {}", matcher, selector, matcher);
    }
    const std::string_view text = without_blanks(query_);
    const bool plain = text.find_first_of("{}|=!~\"`\n()[]") == std::string_view::npos;
    return plain ? say(offset, "to search for a text: {}", search(text)) : Advice{};
  }

  // `|= error`, `{app=x}`, `| level=error`.
  Advice missing_quotes() {
    const TokenKind before = kind(-1);
    const std::size_t offset = token().offset;
    if (at_ == 0 || !(is_word(kind()) || kind() == TokenKind::error)) return {};
    // Behind `!=` or `!~` a label filter or matcher has its name, a line filter has not.
    const bool named = at_ >= 2 && kind(-2) == TokenKind::identifier;
    const bool line = is_line_operator(before) || ((before == TokenKind::not_equal || before == TokenKind::not_regex) && !named);
    if (line) {
      const std::string_view text = words_at(offset);
      if (text.empty()) return {};
      return say(offset, "put the text in double quotes: {} {}", from(token(-1).offset).substr(0, 2), quoted(text));
    }
    if (!named || !is_comparison(before)) return {};
    const std::string_view value = word_at(offset);
    if (value.empty()) return {};
    const std::string_view name = token(-2).text;
    const std::string_view op = without_blanks(from(token(-1).offset).substr(0, offset - token(-1).offset));
    return say(offset, "put the value in double quotes: {}{}{}", clip(name, kMostWord), op == "==" ? "=" : op, quoted(value));
  }

  Advice in_selector() {
    if (!within_selector()) return {};
    const std::size_t offset = token().offset;
    const TokenKind before = kind(-1);
    if (here().starts_with(':') && before == TokenKind::identifier) {
      const std::string value = kind(1) == TokenKind::string ? token(1).text : std::string(word_at(token(1).offset));
      return say(offset, "put = between a label and its value: {}={}", clip(token(-1).text, kMostWord), quoted(value));
    }
    if (kind() == TokenKind::compare_equal) return say(offset, "a label is selected with =, !=, =~ or !~");
    if (before == TokenKind::string) {
      if (kind() == TokenKind::keyword_or) {
        return say(offset, "a selector has no or; for several values: {{{}=~\"A|B\"}}", clip(token(-3).text, kMostWord));
      }
      if (kind() == TokenKind::keyword_and || kind() == TokenKind::identifier) {
        return say(offset, "put commas between the labels of a selector");
      }
    }
    const bool ends = kind() == TokenKind::end || kind() == TokenKind::pipe || is_line_operator(kind()) || is_comparison(kind());
    const bool open = before == TokenKind::string || before == TokenKind::comma || before == TokenKind::open_brace;
    return ends && open ? say(offset, "the selector is not closed: a }} is missing") : Advice{};
  }

  // `{app="x"} error`, `{app="x"} json`, `|= "a" and "b"`.
  Advice after_selector() {
    const std::size_t offset = token().offset;
    const TokenKind before = kind(-1);
    const bool filtered = before == TokenKind::string && (is_line_operator(kind(-2)) || is_comparison(kind(-2)));
    const bool complete = before == TokenKind::close_brace || filtered;
    const bool follows = complete || is_stage_keyword(before);
    if (follows && is_stage_keyword(kind())) return say(offset, "a stage begins with |: | {}", token().text);
    if (!complete) return {};
    if ((kind() == TokenKind::keyword_and || kind() == TokenKind::string) && before == TokenKind::string) {
      const Token& given = kind() == TokenKind::string ? token() : token(1);
      const std::string text = given.kind == TokenKind::string ? given.text : std::string(words_at(given.offset));
      return text.empty() ? Advice{} : say(offset, "for lines that also have this text, add a filter: |= {}", quoted(text));
    }
    if (kind() == TokenKind::string) return say(offset, "to search for a text: |= {}", quoted(token().text));
    if (before != TokenKind::close_brace) return {};
    if (kind() == TokenKind::equal || kind() == TokenKind::regex) {
      return say(offset, "to search for a text: |= \"text\"; for a regular expression: |~ \"a.*b\"");
    }
    if (kind() != TokenKind::identifier && kind() != TokenKind::number) return {};
    if (is_comparison(kind(1))) {
      const std::string_view filter = from(offset).substr(0, from(offset).find_first_of("|\n"));
      return say(offset, "a label filter begins with |: | {}", clipped(without_blanks(filter)));
    }
    const std::string_view text = words_at(offset);
    return text.empty() ? Advice{} : say(offset, "to search for a text: |= {}", quoted(text));
  }

  // `| = "x"`, `| != "x"`, `| |= "x"`.
  Advice line_filter_behind_pipe() {
    if (kind(-1) != TokenKind::pipe) return {};
    const std::size_t offset = token(-1).offset;
    switch (kind()) {
      case TokenKind::equal:
      case TokenKind::contains:
        return say(offset, "a line filter is written |= \"text\", without a blank");
      case TokenKind::regex:
      case TokenKind::pipe_regex:
        return say(offset, "a line filter is written |~ \"regular expression\"");
      case TokenKind::not_equal:
        return say(offset, "a line filter that excludes has no | in front: != \"text\"");
      case TokenKind::not_regex:
        return say(offset, "a line filter that excludes has no | in front: !~ \"regular expression\"");
      case TokenKind::string:
        return say(offset, "to search for a text: |= {}", quoted(token().text));
      default:
        return {};
    }
  }

  // `| jsn`: Loki reads a label filter and misses its operator.
  Advice unknown_stage() {
    if (kind(-1) != TokenKind::identifier || kind(-2) != TokenKind::pipe) return {};
    if (is_comparison(kind()) || kind() == TokenKind::dot) return {};
    const std::string& word = token(-1).text;
    const std::size_t offset = token(-1).offset;
    const std::string folded = lower_word(word);
    if (folded == "not") return say(offset, "LogQL has no not; it compares with != and !~");
    const std::string_view rest = kind() == TokenKind::string ? std::string_view(token().text) : std::string_view();
    if (is_one_of(folded, {"grep", "egrep", "contains", "contain", "like", "search", "match", "matches", "includes", "filter",
                           "where", "find"})) {
      const std::string text = !rest.empty() ? std::string(rest) : std::string(words_at(token().offset));
      return say(offset, "there is no stage {}; to search for a text: |= {}", word, text.empty() ? "\"text\"" : quoted(text));
    }
    if (folded == "regex")
      return say(offset, "there is no stage regex; regexp extracts fields, and |~ \"regular expression\" searches");
    const std::string_view near = base::nearest(folded, stage_names());
    if (!near.empty()) return say(offset, "there is no stage {}; did you mean {}?", clip(word, kMostWord), near);
    return say(offset, "there is no stage {}; to search for it: |= {}; to compare a field: | {}=\"VALUE\"", clip(word, kMostWord),
               quoted(words_at(offset)), clip(word, kMostWord));
  }

  // `| status == "500"`, `| status > "500"`.
  Advice quoted_where_none_is() {
    if (kind() != TokenKind::string || !is_comparison(kind(-1))) return {};
    if (kind(-1) == TokenKind::compare_equal) return say(token(-1).offset, "a text is compared with =");
    return say(token().offset, "write a number without quotes: {} {}",
               without_blanks(from(token(-1).offset).substr(0, token().offset - token(-1).offset)), clip(token().text, kMostWord));
  }

  Advice field_with_dot() {
    if (kind() != TokenKind::dot || kind(-1) != TokenKind::identifier) return {};
    std::string name(word_at(token(-1).offset));
    name = name.substr(0, name.find_first_of("=!<>~"));
    std::ranges::replace_if(
        name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return say(token(-1).offset, "only letters, digits and _ are used in the name of a field: {}", clip(name, kMostWord));
  }

  const bool free_;  // the selector may be left out
  const std::string_view why_;
};

}  // namespace

Advice advise(std::string_view query, const ParseError& error, const ParserOptions& options) {
  if (error.line == 0) return {};
  if (Advice advice = advise_on_habits(query, error, options); !advice.text.empty()) return advice;
  if (Advice advice = advise_on_metrics(query, error); !advice.text.empty()) return advice;
  return Adviser(query, error, options).advise();
}

std::string clip(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace weir::logql
