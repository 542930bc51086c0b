#include "gotemplate/parser.h"

#include "base/utf8.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::gotemplate {
namespace {

constexpr int kMaxDepth = 60;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, std::string_view name, FindFunction find) : text_(text), name_(name), find_(find) {}

  base::Result<ParsedTemplate> run() {
    std::string end;
    variables_ = {"$"};
    if (!nodes(parsed_.nodes, end)) return error();
    if (!end.empty()) {
      fail(fmt::format("unexpected {{{{{}}}}}", end));
      return error();
    }
    return std::move(parsed_);
  }

 private:
  using Kind = TemplateNode::Kind;

  base::Error error() const { return base::fail(base::Code::parse, "template: {}:{}: {}", name_, error_line_, why_); }

  bool fail(std::string why) {
    if (!why_.empty()) return false;
    why_ = std::move(why);
    error_line_ = 1 + static_cast<std::size_t>(std::count(
                          text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(position_, text_.size())), '\n'));
    return false;
  }

  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  [[nodiscard]] bool starts(std::string_view what) const { return text_.substr(position_).starts_with(what); }
  void skip_space() {
    while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  }

  // Reads nodes up to {{end}} or {{else …}}, whose name goes into `end`, or to the end of the text.
  bool nodes(std::vector<TemplateNode>& out, std::string& end) {
    if (++depth_ > kMaxDepth) return fail("actions are nested too deeply");
    end.clear();
    while (position_ < text_.size()) {
      const std::size_t open = std::min(text_.find("{{", position_), text_.size());
      std::string_view text = text_.substr(position_, open - position_);
      if (trim_next_) {
        while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
        trim_next_ = false;
      }
      position_ = open;
      if (open < text_.size()) {
        position_ += 2;
        if (peek() == '-' && is_space(peek(1))) {
          ++position_;
          while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
        }
      }
      if (!text.empty()) {
        TemplateNode node;
        node.text = std::string(text);
        out.push_back(std::move(node));
      }
      if (open >= text_.size()) break;
      if (!action(out, end)) return false;
      if (!end.empty()) break;
    }
    --depth_;
    return true;
  }

  // Moves past the end of an action: `}}` or ` -}}`.
  bool at_close() {
    skip_space();
    return starts("}}") || (starts("-}}") && position_ > 0 && is_space(text_[position_ - 1]));
  }
  bool close() {
    if (!at_close()) {
      if (position_ >= text_.size()) return fail("unclosed action");
      return peek() == ')' ? fail("unexpected right paren") : unexpected("command");
    }
    trim_next_ = peek() == '-';
    position_ += trim_next_ ? 3 : 2;
    return true;
  }
  bool unexpected(std::string_view where) {
    const std::size_t length = std::max<std::size_t>(base::utf8_length(text_.substr(position_)), 1);
    return fail(fmt::format("unexpected {} in {}", gotext::quote(text_.substr(position_, length)), where));
  }

  [[nodiscard]] std::string_view word() const {
    std::size_t end = position_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return text_.substr(position_, end - position_);
  }

  bool action(std::vector<TemplateNode>& out, std::string& end) {
    skip_space();
    if (starts("/*")) {
      const std::size_t stop = text_.find("*/", position_);
      if (stop == std::string_view::npos) return fail("unclosed comment");
      position_ = stop + 2;
      return at_close() ? close() : fail("comment ends before closing delimiter");
    }
    const std::string_view keyword = word();
    TemplateNode node;
    if (keyword == "if" || keyword == "with" || keyword == "range") {
      position_ += keyword.size();
      node.kind = keyword == "if" ? Kind::if_ : keyword == "with" ? Kind::with : Kind::range;
      if (!control(node)) return false;
    } else if (keyword == "end" || keyword == "else") {
      position_ += keyword.size();
      end = std::string(keyword);
      if (end == "else" && !at_close()) {  // else if, else with: the caller reads the rest
        end += " " + std::string(word());
        return true;
      }
      return close();
    } else if (keyword == "break" || keyword == "continue") {
      position_ += keyword.size();
      if (loops_ == 0) return fail(fmt::format("{{{{{}}}}} outside {{{{range}}}}", keyword));
      node.kind = keyword == "break" ? Kind::break_ : Kind::continue_;
      if (!close()) return false;
    } else if (keyword == "define" || keyword == "template" || keyword == "block") {
      return fail(fmt::format("{{{{{}}}}} is not supported", keyword));
    } else {
      node.kind = Kind::action;
      if (!pipeline(node.pipeline, "command") || !close()) return false;
    }
    out.push_back(std::move(node));
    return true;
  }

  bool control(TemplateNode& node) {
    const std::size_t variables = variables_.size();
    const bool changes_dot = node.kind != Kind::if_;
    const std::string_view keyword = node.kind == Kind::if_ ? "if" : node.kind == Kind::with ? "with" : "range";
    if (!pipeline(node.pipeline, keyword) || !close()) return false;
    loops_ += node.kind == Kind::range ? 1 : 0;
    dots_ += changes_dot ? 1 : 0;
    std::string end;
    bool ok = nodes(node.body, end);
    loops_ -= node.kind == Kind::range ? 1 : 0;
    dots_ -= changes_dot ? 1 : 0;
    if (!ok) return false;
    if (end.starts_with("else ")) {
      const std::string_view again = std::string_view(end).substr(5);
      if (again != keyword || node.kind == Kind::range) return unexpected("else");
      position_ += again.size();
      TemplateNode inner;
      inner.kind = node.kind;
      if (!control(inner)) return false;  // reads the {{end}} of both
      node.otherwise.push_back(std::move(inner));
    } else if (end == "else") {
      if (!nodes(node.otherwise, end)) return false;
      if (end != "end") return end.empty() ? fail("unexpected EOF") : fail(fmt::format("expected end; found {{{{{}}}}}", end));
    } else if (end.empty()) {
      return fail("unexpected EOF");
    }
    variables_.resize(variables);
    return true;
  }

  bool pipeline(TemplatePipeline& out, std::string_view where) {
    if (++depth_ > kMaxDepth) return fail("expressions are nested too deeply");
    skip_space();
    if (peek() == '$') declaration(out);
    while (true) {
      TemplateCommand command;
      if (!this->command(command, where)) return false;
      out.commands.push_back(std::move(command));
      skip_space();
      if (peek() != '|') break;
      ++position_;
      if (at_close()) break;  // Go allows a pipeline to end like this
    }
    for (const std::string& name : out.variables) {
      const bool known = std::find(variables_.begin(), variables_.end(), name) != variables_.end();
      if (out.assigns && !known) return fail(fmt::format("undefined variable {}", gotext::quote(name)));
      if (!out.assigns) variables_.push_back(name);
    }
    --depth_;
    return true;
  }

  // Reads `$x :=`, `$i, $x :=` or `$x =`, when one is here.
  void declaration(TemplatePipeline& out) {
    const std::size_t begin = position_;
    std::vector<std::string> names;
    while (peek() == '$') {
      const std::size_t start = position_++;
      position_ += word().size();
      names.emplace_back(text_.substr(start, position_ - start));
      skip_space();
      if (peek() == ',' && names.size() == 1) {
        ++position_;
        skip_space();
        continue;
      }
      const bool declares = starts(":=");
      if (!declares && !(peek() == '=' && peek(1) != '=')) break;
      position_ += declares ? 2 : 1;
      out.variables = std::move(names);
      out.assigns = !declares;
      return;
    }
    position_ = begin;
  }

  bool command(TemplateCommand& out, std::string_view where) {
    skip_space();
    out.offset = position_;
    while (true) {
      skip_space();
      if (position_ >= text_.size()) return fail("unclosed action");
      if (at_close() || peek() == '|' || peek() == ')') break;
      TemplateTerm term;
      if (!this->term(term)) return false;
      out.terms.push_back(std::move(term));
    }
    if (out.terms.empty()) return fail(fmt::format("missing value for {}", where));
    std::string_view source = text_.substr(out.offset, position_ - out.offset);
    while (!source.empty() && is_space(source.back())) source.remove_suffix(1);
    out.source = std::string(source);
    return true;
  }

  bool term(TemplateTerm& out) {
    out.offset = position_;
    const char c = peek();
    if (c == '.') {
      if (!is_word(peek(1)) || is_digit(peek(1))) {
        if (is_digit(peek(1))) return number(out);
        ++position_;
        if (peek() == '.') return fail("unexpected . after term \".\"");
      }
    } else if (c == '$') {
      ++position_;
      position_ += word().size();
      out.kind = TemplateTerm::Kind::variable;
      out.name = std::string(text_.substr(out.offset, position_ - out.offset));
      if (std::find(variables_.begin(), variables_.end(), out.name) == variables_.end()) {
        return fail(fmt::format("undefined variable {}", gotext::quote(out.name)));
      }
    } else if (c == '"' || c == '`') {
      if (!string(out)) return false;
    } else if (c == '\'') {
      if (!character(out)) return false;
    } else if (is_digit(c) || ((c == '+' || c == '-') && (is_digit(peek(1)) || peek(1) == '.'))) {
      return number(out);
    } else if (c == '(') {
      ++position_;
      out.kind = TemplateTerm::Kind::pipeline;
      out.pipeline = std::make_unique<TemplatePipeline>();
      if (!pipeline(*out.pipeline, "parenthesized pipeline")) return false;
      skip_space();
      if (peek() != ')') return fail("unclosed left paren");
      ++position_;
    } else if (is_word(c)) {
      if (!identifier(out)) return false;
    } else {
      return unexpected("operand");
    }
    while (peek() == '.' && is_word(peek(1)) && !is_digit(peek(1))) {
      ++position_;
      out.fields.emplace_back(word());
      position_ += out.fields.back().size();
    }
    if (peek() == '.' && !out.fields.empty()) return fail("unexpected <.> in operand");
    note_reads(out);
    return true;
  }

  // Notes the labels that the term reads.
  void note_reads(const TemplateTerm& term) {
    const bool root =
        (term.kind == TemplateTerm::Kind::dot && dots_ == 0) || (term.kind == TemplateTerm::Kind::variable && term.name == "$");
    const bool may_be_root = root || term.kind == TemplateTerm::Kind::dot || term.kind == TemplateTerm::Kind::variable;
    if (!may_be_root) return;
    if (term.fields.empty()) {
      parsed_.reads_everything = parsed_.reads_everything || root;
    } else {
      parsed_.names.push_back(term.fields.front());
    }
  }

  // Whether a word may end here.
  [[nodiscard]] bool ends_word() const {
    return position_ >= text_.size() || is_space(peek()) || starts("}}") ||
           std::string_view(".,|:()").find(peek()) != std::string_view::npos;
  }

  bool identifier(TemplateTerm& out) {
    out.name = std::string(word());
    position_ += out.name.size();
    if (!ends_word()) {
      const std::string_view next = text_.substr(position_, std::max<std::size_t>(base::utf8_length(text_.substr(position_)), 1));
      std::size_t length = 0;
      return fail(fmt::format("bad character U+{:04X} '{}'", static_cast<std::uint32_t>(base::decode_utf8(next, length)), next));
    }
    out.kind = TemplateTerm::Kind::constant;
    if (out.name == "true" || out.name == "false") {
      out.constant = Value::of(out.name == "true");
      return true;
    }
    if (out.name == "nil") return true;
    out.kind = TemplateTerm::Kind::function;
    out.function = find_(out.name);
    return out.function != nullptr || fail(fmt::format("function {} not defined", gotext::quote(out.name)));
  }

  bool string(TemplateTerm& out) {
    const char quote_mark = peek();
    const std::size_t begin = ++position_;
    while (position_ < text_.size() && text_[position_] != quote_mark) {
      if (quote_mark == '"' && text_[position_] == '\n') break;
      position_ += quote_mark == '"' && text_[position_] == '\\' ? 2 : 1;
    }
    if (position_ >= text_.size() || text_[position_] != quote_mark) {
      return fail(quote_mark == '"' ? "unterminated quoted string" : "unterminated raw quoted string");
    }
    const std::string_view inside = text_.substr(begin, position_ - begin);
    ++position_;
    out.kind = TemplateTerm::Kind::constant;
    if (quote_mark == '`') {
      out.name = std::string(inside);
    } else if (!unescape(inside, out.name)) {
      return fail("invalid syntax");
    }
    out.constant.kind = Value::Kind::text;
    return true;
  }

  static bool unescape(std::string_view text, std::string& out) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      if (++i >= text.size()) return false;
      constexpr std::string_view kNames = "abfnrtv\\\"";
      constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\\"";
      if (const std::size_t known = kNames.find(text[i]); known != std::string_view::npos) {
        out += kBytes[known];
        continue;
      }
      const bool octal = text[i] >= '0' && text[i] <= '7';
      const std::size_t digits = octal ? 3 : text[i] == 'x' ? 2 : text[i] == 'u' ? 4 : text[i] == 'U' ? 8 : 0;
      const std::string number(text.substr(octal ? i : i + 1, digits));
      if (digits == 0 || number.size() < digits ||
          number.find_first_not_of(octal ? "01234567" : "0123456789abcdefABCDEF") != std::string::npos) {
        return false;
      }
      const unsigned long value = std::stoul(number, nullptr, octal ? 8 : 16);
      if (text[i] == 'u' || text[i] == 'U') {
        base::append_utf8(out, static_cast<char32_t>(std::min(value, 0x110000UL)));
      } else {
        out += static_cast<char>(value);
      }
      i += octal ? 2 : digits;
    }
    return true;
  }

  bool character(TemplateTerm& out) {
    const std::size_t stop = text_.find('\'', position_ + 2);
    if (stop == std::string_view::npos) return fail("unterminated character constant");
    std::string decoded;
    if (!unescape(text_.substr(position_ + 1, stop - position_ - 1), decoded) || decoded.empty())
      return fail("malformed character constant");
    std::size_t length = 0;
    out.kind = TemplateTerm::Kind::constant;
    out.constant = Value::of(static_cast<std::int64_t>(base::decode_utf8(decoded, length)));
    position_ = stop + 1;
    return true;
  }

  bool number(TemplateTerm& out) {
    std::size_t end = position_ + 1;
    while (end < text_.size() && (is_word(text_[end]) || text_[end] == '.' ||
                                  ((text_[end] == '-' || text_[end] == '+') && (text_[end - 1] | 0x20) == 'e')))
      ++end;
    const std::string text(text_.substr(position_, end - position_));
    position_ = end;
    out.kind = TemplateTerm::Kind::constant;
    out.name = text;
    const bool hex = text.find_first_of("xX") != std::string::npos;
    if (text.find_first_of(hex ? ".pP" : ".eE") == std::string::npos) {
      std::size_t used = 0;
      std::string digits = text;
      std::erase(digits, '_');
      if (digits.size() < 19) {
        const long long value = std::stoll(digits, &used, hex ? 16 : digits.size() > 1 && digits[0] == '0' ? 8 : 10);
        if (used == digits.size()) {
          out.constant = Value::of(static_cast<std::int64_t>(value));
          return true;
        }
      }
      return fail(fmt::format("bad number syntax: {}", gotext::quote(text)));
    }
    const auto value = gotext::parse_float(text);
    if (!value) return fail(fmt::format("bad number syntax: {}", gotext::quote(text)));
    // 5.0 may stand for an int too; the functions accept that.
    out.constant = Value::of(*value);
    return true;
  }

  std::string_view text_;
  std::string_view name_;
  FindFunction find_;
  std::size_t position_ = 0;
  std::size_t error_line_ = 1;
  std::string why_;
  int depth_ = 0;
  int loops_ = 0;
  int dots_ = 0;  // the number of enclosing range and with
  bool trim_next_ = false;
  std::vector<std::string> variables_;
  ParsedTemplate parsed_;
};

}  // namespace

base::Result<ParsedTemplate> parse_template(std::string_view text, std::string_view name, FindFunction find) {
  return Parser(text, name, find).run();
}

std::string template_place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t newline = before.rfind('\n');
  return fmt::format("{}:{}", line, newline == std::string_view::npos ? offset : offset - newline);
}

}  // namespace weir::gotemplate
