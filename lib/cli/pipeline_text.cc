#include "cli/pipeline_text.h"

#include "base/diagnostics.h"
#include "base/secrets.h"
#include "base/utf8.h"
#include "cli/secret_words.h"
#include "record/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// Why a byte cannot stand unquoted; nullptr when it can.
struct Refusal {
  const char* text;
  const char* hint;
};

std::optional<Refusal> refusal(char c) {
  switch (c) {
    case '*':
    case '?':
    case '[':
      return Refusal{"a shell would expand it: quote it", "weir reads globs itself; put the word in single quotes"};
    case ';':
      return Refusal{"`;` is not supported here", "write each pipeline on a line of its own, or quote it"};
    case '&':
      return Refusal{"`&` is not supported here", "all pipelines of a file run together anyway; quote it to use it literally"};
    case '>':
    case '<':
      return Refusal{"redirections are not supported here", "quote it, or let a shell run `weir run` with the redirection"};
    case '(':
    case ')':
      return Refusal{"parentheses of a shell are not supported here: quote it", "put a LogQL expression in single quotes"};
    case '{':
      return Refusal{"a shell would give it another meaning: quote it", "put a LogQL expression in single quotes"};
    default:
      return std::nullopt;
  }
}

class Parser {
 public:
  Parser(const PipelineSource& source, std::string_view text, const char* (*environment)(const char* name))
      : source_(source), text_(text), environment_(environment) {}

  Result<std::vector<PipelineText>> parse() {
    while (true) {
      if (auto ok = skip_blank_lines(); !ok) return std::move(ok).error();
      if (at_end()) break;
      auto pipeline = parse_pipeline();
      if (!pipeline) return std::move(pipeline).error();
      pipelines_.push_back(*std::move(pipeline));
    }
    if (pipelines_.empty())
      return source_.error_at({1, 1}, "there is no pipeline in it", "for example: tail | filter '|= \"error\"'");
    return std::move(pipelines_);
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  [[nodiscard]] TextPlace place() const { return place_; }

  char take() {
    const char c = text_[at_++];
    if (c == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((static_cast<unsigned char>(peek()) & 0xc0U) != 0x80U) {
      ++place_.column;  // the next byte begins a code point
    }
    return c;
  }

  Error fail(TextPlace where, std::string_view text, std::string_view hint = {}) const {
    return source_.error_at(where, text, hint);
  }

  // Blanks, joined lines and comments; not the newline that ends a pipeline.
  void skip_blanks() {
    while (!at_end()) {
      if (peek() == ' ' || peek() == '\t' || peek() == '\r') {
        take();
      } else if (peek() == '\\' && peek(1) == '\n') {
        take(), take();
      } else if (peek() == '\\' && peek(1) == '\r' && peek(2) == '\n') {
        take(), take(), take();
      } else if (peek() == '#') {
        while (!at_end() && peek() != '\n') take();
      } else {
        return;
      }
    }
  }

  Result<void> skip_blank_lines() {
    skip_blanks();
    while (!at_end() && peek() == '\n') {
      take();
      skip_blanks();
    }
    return {};
  }

  Result<PipelineText> parse_pipeline() {
    PipelineText pipeline;
    while (true) {
      auto stage = parse_stage(pipeline.stages.empty());
      if (!stage) return std::move(stage).error();
      pipeline.stages.push_back(*std::move(stage));
      if (at_end()) return pipeline;
      if (peek() == '\n') {
        take();
        return pipeline;
      }
      take();  // the `|`
      if (auto ok = skip_blank_lines(); !ok) return std::move(ok).error();
    }
  }

  // Up to `|`, a newline or the end, which stay.
  Result<StageText> parse_stage(bool first) {
    const auto begin = place();
    std::vector<Word> words;
    while (true) {
      skip_blanks();
      if (at_end() || peek() == '\n') break;
      if (peek() == '|') {
        if (peek(1) == '|') return fail(place(), "`||` is not supported here", "stages are joined by one `|`");
        break;
      }
      auto word = parse_word();
      if (!word) return std::move(word).error();
      words.push_back(*std::move(word));
    }
    if (!words.empty() && words.front().text == "weir") words.erase(words.begin());
    if (words.empty() && first && (at_end() || peek() == '\n')) return fail(begin, "a stage is missing after weir");
    if (words.empty()) {
      return fail(at_end() || peek() == '\n' ? begin : place(),
                  first ? "a stage is missing before `|`" : "a stage is missing after `|`");
    }
    StageText stage{std::move(words.front()), {}};
    words.erase(words.begin());
    stage.arguments = std::move(words);
    return stage;
  }

  Result<Word> parse_word() {
    Word word{{}, place()};
    while (!at_end()) {
      const char c = peek();
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '|') break;
      if (c == '\'') {
        if (auto ok = single_quoted(word.text); !ok) return std::move(ok).error();
      } else if (c == '"') {
        if (auto ok = double_quoted(word.text); !ok) return std::move(ok).error();
      } else if (c == '$') {
        if (auto ok = variable(word.text); !ok) return std::move(ok).error();
      } else if (c == '\\') {
        if (peek(1) == '\n') {
          take(), take();
          continue;
        }
        if (at_ + 1 >= text_.size()) return fail(place(), "a backslash stands at the end of the text");
        take();
        word.text += take();
      } else if (c == '`') {
        return fail(place(), "commands are not run here: quote the backquote", "in LogQL, put the expression in single quotes");
      } else if (c == '~' && word.text.empty() && (peek(1) == '/' || peek(1) == '\0' || peek(1) == ' ')) {
        return fail(place(), "a shell would put your home folder here", "write $HOME, or quote it");
      } else if (const auto refused = refusal(c)) {
        return fail(place(), fmt::format("unquoted '{}': {}", c, refused->text), refused->hint);
      } else {
        word.text += take();
      }
    }
    return word;
  }

  Result<void> single_quoted(std::string& out) {
    const auto begin = place();
    take();
    while (!at_end() && peek() != '\'') out += take();
    if (at_end()) return fail(begin, "the single quote is not closed");
    take();
    return {};
  }

  Result<void> double_quoted(std::string& out) {
    const auto begin = place();
    take();
    while (!at_end() && peek() != '"') {
      if (peek() == '\\') {
        const char next = peek(1);
        take();
        if (next == '\n' && !at_end()) {
          take();
        } else if (next == '"' || next == '\\' || next == '$' || next == '`') {
          out += take();
        } else {
          out += '\\';
        }
      } else if (peek() == '$') {
        if (auto ok = variable(out); !ok) return ok;
      } else if (peek() == '`') {
        return fail(place(), "commands are not run here: a backquote within double quotes needs a backslash",
                    "in LogQL, put the expression in single quotes");
      } else {
        out += take();
      }
    }
    if (at_end()) return fail(begin, "the double quote is not closed");
    take();
    return {};
  }

  Result<void> variable(std::string& out) {
    const auto begin = place();
    if (peek(1) == '(') return fail(begin, "commands are not run here: quote the `$`");
    const bool braces = peek(1) == '{';
    if (!braces && !is_name_start(peek(1))) {
      if (peek(1) == '\0' || peek(1) == ' ' || peek(1) == '"' || peek(1) == '\n' || peek(1) == '|') {  // as in sh
        out += take();
        return {};
      }
      return fail(begin, "this kind of variable is not supported: quote the `$`",
                  "only $NAME and ${NAME} are supported, from the environment");
    }
    take();
    if (braces) take();
    std::string name;
    if (is_name_start(peek())) {
      while (is_name(peek())) name += take();
    }
    if (braces) {
      if (name.empty() || peek() != '}')
        return fail(begin, "only ${NAME} is supported here", "default values and other forms of a shell are not supported");
      take();
    }
    const char* value = environment_ == nullptr ? nullptr : environment_(name.c_str());
    if (value == nullptr) {
      return fail(begin, fmt::format("the variable {} is not set", name),
                  "export it, or put the `$` in single quotes to use it literally");
    }
    out += value;
    return {};
  }

  const PipelineSource& source_;
  std::string_view text_;
  const char* (*environment_)(const char* name);
  std::size_t at_ = 0;
  TextPlace place_;
  std::vector<PipelineText> pipelines_;
};

struct Excerpt {
  std::string line;
  std::size_t caret = 1;  // column in it
};

// The line of a place as it can be shown: without its secrets, a tab as one blank, since it is one column in the count.
Excerpt excerpt(std::string_view text, TextPlace place) {
  std::size_t begin = 0;
  for (std::size_t number = place.line; number > 1 && begin < text.size(); --number) {
    const auto end = text.find('\n', begin);
    begin = end == std::string_view::npos ? text.size() : end + 1;
  }
  std::size_t end = std::min(text.find('\n', begin), text.size());
  if (end > begin && text[end - 1] == '\r') --end;
  const auto spans = secret_spans(text);
  auto span = spans.begin();
  Excerpt out;
  std::size_t shown = 0;   // code points
  std::size_t column = 0;  // of the text
  bool hidden = false;     // the secret at hand is shown already
  for (std::size_t at = begin; at < end; ++at) {
    for (; span != spans.end() && span->end <= at; ++span) hidden = false;
    const bool first = (static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U;
    if (first && ++column == place.column) out.caret = shown + 1;
    if (span != spans.end() && span->begin <= at) {
      if (!std::exchange(hidden, true)) {
        out.line += base::Secrets::kHidden;
        shown += base::Secrets::kHidden.size();
      }
      continue;
    }
    if (first) ++shown;
    out.line += text[at] == '\t' ? ' ' : text[at];
  }
  if (place.column > column) out.caret = shown + place.column - column;
  return out;
}

}  // namespace

Result<std::vector<PipelineText>> PipelineSource::parse(const char* (*environment)(const char* name)) const {
  if (const auto nul = text_.find('\0'); nul != std::string::npos) {
    return base::fail(Code::config, "{}: not a text: byte {} is zero", name_, nul + 1);
  }
  if (!base::is_utf8(text_)) return base::fail(Code::config, "{}: not UTF-8 text", name_);
  return Parser(*this, text_, environment).parse();
}

Error PipelineSource::error_at(TextPlace place, std::string_view text, std::string_view hint) const {
  const Excerpt shown = excerpt(text_, place);
  Error error{Code::config, fmt::format("{}:{}:{}: {}", name_, place.line, place.column, text), {}};
  error.hint = fmt::format("  {}\n  {:>{}}", shown.line, '^', shown.caret);
  if (!hint.empty()) error.hint += fmt::format("\n{}", hint);
  return error;
}

bool PipelineEntry::same_words(const PipelineEntry& other) const {
  const auto same_word = [](const Word& a, const Word& b) { return a.text == b.text; };
  return std::ranges::equal(text.stages, other.text.stages, [&](const StageText& a, const StageText& b) {
    return same_word(a.command, b.command) && std::ranges::equal(a.arguments, b.arguments, same_word);
  });
}

}  // namespace weir::cli
