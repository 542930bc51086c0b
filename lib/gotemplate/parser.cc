#include "base/utf8.h"
#include "gotemplate/lexer.h"
#include "gotemplate/literal.h"
#include "gotemplate/tree.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace weir::gotemplate {
namespace {

// Deeper templates are refused, because each level takes stack. Go allows 10,000 parentheses.
constexpr int kMaxDepth = 100;

using Kind = Node::Kind;

// What the parsers of a text share.
struct Shared {
  Shared(std::string_view text, std::string_view name_of_all, FindFunction find_function_)
      : lexer(text), name(name_of_all), find(find_function_) {}
  Lexer lexer;
  std::string_view name;
  FindFunction find;
  std::map<std::string, Node, std::less<>> trees;
  std::string error;
  int depth = 0;
};

bool is_empty(const Node& node) {
  if (node.kind == Kind::list) return std::all_of(node.children.begin(), node.children.end(), is_empty);
  return node.kind == Kind::text && trim_space(node.text).empty();
}

// Reads one template: the outermost, or the body of a define or block. Functions return false once `shared.error` is set.
class Parser {
 public:
  Parser(Shared& shared, std::string name) : shared_(shared), name_(std::move(name)) { root_.kind = Kind::list; }

  bool whole() {
    root_.offset = peek().offset;
    while (peek().kind != TokenKind::end_of_text) {
      if (peek().kind == TokenKind::left_delimiter) {
        Token delimiter = next();
        if (next_word().kind == TokenKind::define) {
          if (!definition()) return false;
          continue;
        }
        back_2(std::move(delimiter));
      }
      Node node;
      if (!text_or_action(node)) return false;
      if (node.kind == Kind::end || node.kind == Kind::else_) return fail("unexpected " + source(node));
      root_.children.push_back(std::move(node));
    }
    return add();
  }

 private:
  // ---- tokens: a stack of up to three that were read ahead

  const Token& next() {
    if (ahead_ > 0)
      --ahead_;
    else
      tokens_[0] = shared_.lexer.next();
    return tokens_[ahead_];
  }
  void back() { ++ahead_; }
  void back_2(Token earlier) {
    tokens_[1] = std::move(earlier);
    ahead_ = 2;
  }
  void back_3(Token earliest, Token earlier) {
    tokens_[1] = std::move(earlier);
    tokens_[2] = std::move(earliest);
    ahead_ = 3;
  }
  const Token& peek() {
    if (ahead_ == 0) {
      ahead_ = 1;
      tokens_[0] = shared_.lexer.next();
    }
    return tokens_[ahead_ - 1];
  }
  const Token& next_word() {
    while (true) {
      const Token& token = next();
      if (token.kind != TokenKind::space) return token;
    }
  }
  const Token& peek_word() {
    next_word();
    back();
    return tokens_[ahead_ - 1];
  }

  bool fail(std::string why) {
    if (shared_.error.empty()) shared_.error = fmt::format("template: {}:{}: {}", shared_.name, tokens_[0].line, why);
    return false;
  }
  bool unexpected(const Token& token, std::string_view where) {
    if (token.kind != TokenKind::error) return fail(fmt::format("unexpected {} in {}", describe(token), where));
    std::string extra;
    if (action_line_ != 0 && action_line_ != token.line) {
      extra = fmt::format("{} started at {}:{}", token.text.ends_with(" action") ? "" : " in action", shared_.name, action_line_);
    }
    return fail(token.text + extra);
  }
  bool expect(TokenKind kind, std::string_view where) {
    const Token& token = next_word();
    return token.kind == kind || unexpected(token, where);
  }
  static std::string source(const Node& node) {
    std::string out;
    print_node(out, node);
    return out;
  }
  static Node make(Kind kind, std::size_t offset) {
    Node node;
    node.kind = kind;
    node.offset = offset;
    return node;
  }

  // ---- nodes

  // Makes the template known. One that has only blanks replaces none, and is replaced.
  bool add() {
    const auto found = shared_.trees.find(name_);
    if (found == shared_.trees.end() || is_empty(found->second)) {
      shared_.trees[name_] = std::move(root_);
      return true;
    }
    return is_empty(root_) || fail(fmt::format("template: multiple definition of template {}", gotext::quote(name_)));
  }

  bool definition() {
    Parser inner(shared_, "definition");
    const Token& name = inner.next_word();
    if (name.kind != TokenKind::string && name.kind != TokenKind::raw_string) return inner.unexpected(name, "define clause");
    if (!inner.template_name(name, inner.name_) || !inner.expect(TokenKind::right_delimiter, "define clause")) return false;
    return inner.rest_of_definition("define clause");
  }
  bool rest_of_definition(std::string_view where) {
    Node end;
    if (!list(root_, end)) return false;
    if (end.kind != Kind::end) return fail(fmt::format("unexpected {} in {}", source(end), where));
    return add();
  }
  bool template_name(const Token& token, std::string& name) {
    auto text = unquote(token.text);
    if (!text) return fail("invalid syntax");
    name = std::move(*text);
    return true;
  }

  // Reads up to an {{end}} or {{else}}.
  bool list(Node& out, Node& end) {
    if (++shared_.depth > kMaxDepth) return fail("blocks are nested too deeply");
    out.kind = Kind::list;
    out.offset = peek_word().offset;
    while (peek_word().kind != TokenKind::end_of_text) {
      Node node;
      if (!text_or_action(node)) return false;
      if (node.kind == Kind::end || node.kind == Kind::else_) {
        end = std::move(node);
        --shared_.depth;
        return true;
      }
      out.children.push_back(std::move(node));
    }
    return fail("unexpected EOF");
  }

  bool text_or_action(Node& out) {
    const Token& token = next_word();
    if (token.kind == TokenKind::text) {
      out = make(Kind::text, token.offset);
      out.text = token.text;
      return true;
    }
    if (token.kind != TokenKind::left_delimiter) return unexpected(token, "input");
    action_line_ = token.line;
    const bool ok = action(out);
    action_line_ = 0;
    return ok;
  }

  bool action(Node& out) {
    const Token& token = next_word();
    const std::size_t offset = token.offset;
    switch (token.kind) {
      case TokenKind::block:
        return block(out);
      case TokenKind::break_:
      case TokenKind::continue_: {
        const std::string name = token.text;
        out = make(token.kind == TokenKind::break_ ? Kind::break_ : Kind::continue_, offset);
        if (!expect(TokenKind::right_delimiter, fmt::format("{{{{{}}}}}", name))) return false;
        return loops_ > 0 || fail(fmt::format("{{{{{}}}}} outside {{{{range}}}}", name));
      }
      case TokenKind::else_: {
        const Token& after = peek_word();
        out = make(Kind::else_, after.offset);
        return after.kind == TokenKind::if_ || after.kind == TokenKind::with || expect(TokenKind::right_delimiter, "else");
      }
      case TokenKind::end:
        out = make(Kind::end, offset);
        return expect(TokenKind::right_delimiter, "end");
      case TokenKind::if_:
        return control(out, Kind::if_);
      case TokenKind::range:
        return control(out, Kind::range);
      case TokenKind::with:
        return control(out, Kind::with);
      case TokenKind::template_:
        return template_call(out);
      default:
        break;
    }
    back();
    out = make(Kind::action, peek().offset);
    out.pipe = std::make_unique<Node>();
    return pipeline(*out.pipe, "command", TokenKind::right_delimiter);
  }

  bool control(Node& out, Kind kind) {
    const std::size_t variables = variables_.size();
    const std::string_view word = kind == Kind::if_ ? "if" : kind == Kind::range ? "range" : "with";
    out.kind = kind;
    out.pipe = std::make_unique<Node>();
    out.body = std::make_unique<Node>();
    if (!pipeline(*out.pipe, word, TokenKind::right_delimiter)) return false;
    out.offset = out.pipe->offset;
    Node end;
    loops_ += kind == Kind::range ? 1 : 0;
    if (!list(*out.body, end)) return false;
    loops_ -= kind == Kind::range ? 1 : 0;
    if (end.kind == Kind::else_ && !otherwise(out, end)) return false;
    variables_.resize(variables);
    return true;
  }
  bool otherwise(Node& out, Node& end) {
    out.otherwise = std::make_unique<Node>(make(Kind::list, end.offset));
    const TokenKind again = peek().kind;
    if ((out.kind == Kind::if_ && again == TokenKind::if_) || (out.kind == Kind::with && again == TokenKind::with)) {
      if (++shared_.depth > kMaxDepth) return fail("blocks are nested too deeply");
      next();
      Node inner;
      if (!control(inner, out.kind)) return false;  // reads the {{end}} of both
      --shared_.depth;
      out.otherwise->children.push_back(std::move(inner));
      return true;
    }
    if (!list(*out.otherwise, end)) return false;
    return end.kind == Kind::end || fail("expected end; found " + source(end));
  }

  bool block(Node& out) {
    if (!named(out, "block clause")) return false;
    out.pipe = std::make_unique<Node>();
    if (!pipeline(*out.pipe, "block clause", TokenKind::right_delimiter)) return false;
    Parser inner(shared_, out.text);
    return inner.rest_of_definition("block clause");
  }
  bool template_call(Node& out) {
    if (!named(out, "template clause")) return false;
    if (next_word().kind == TokenKind::right_delimiter) return true;
    back();
    out.pipe = std::make_unique<Node>();
    return pipeline(*out.pipe, "template clause", TokenKind::right_delimiter);
  }
  bool named(Node& out, std::string_view where) {
    const Token& token = next_word();
    out = make(Kind::template_, token.offset);
    if (token.kind != TokenKind::string && token.kind != TokenKind::raw_string) return unexpected(token, where);
    return template_name(token, out.text);
  }

  // ---- pipelines

  bool pipeline(Node& out, std::string_view where, TokenKind end) {
    out = make(Kind::pipe, peek_word().offset);
    if (!declarations(out, where)) return false;
    while (true) {
      const Token& token = next_word();
      if (token.kind == end) break;
      switch (token.kind) {
        case TokenKind::boolean:
        case TokenKind::character_constant:
        case TokenKind::complex:
        case TokenKind::dot:
        case TokenKind::field:
        case TokenKind::identifier:
        case TokenKind::number:
        case TokenKind::nil:
        case TokenKind::raw_string:
        case TokenKind::string:
        case TokenKind::variable:
        case TokenKind::left_paren: {
          back();
          Node one;
          if (!command(one)) return false;
          out.children.push_back(std::move(one));
          break;
        }
        default:
          return unexpected(token, where);
      }
    }
    if (out.children.empty()) return fail(fmt::format("missing value for {}", where));
    for (std::size_t i = 1; i < out.children.size(); ++i) {
      const Kind first = out.children[i].children.front().kind;
      if (first == Kind::boolean || first == Kind::dot || first == Kind::nil || first == Kind::number || first == Kind::string)
        return fail(fmt::format("non executable command in pipeline stage {}", i + 1));
    }
    return true;
  }

  // `$x :=`, `$x =`, and in a range `$i, $x :=`.
  bool declarations(Node& out, std::string_view where) {
    while (peek_word().kind == TokenKind::variable) {
      Token variable = next();
      Token after = peek();
      const Token& word = peek_word();
      if (word.kind == TokenKind::assign || word.kind == TokenKind::declare) {
        out.assigns = word.kind == TokenKind::assign;
        next_word();
        declare(out, variable);
        return true;
      }
      if (word.kind == TokenKind::character && word.text == ",") {
        next_word();
        declare(out, variable);
        if (where != "range" || out.names.size() >= 2) return fail(fmt::format("too many declarations in {}", where));
        const TokenKind follows = peek_word().kind;
        if (follows == TokenKind::variable) continue;
        if (follows != TokenKind::right_delimiter && follows != TokenKind::right_paren)
          return fail("range can only initialize variables");
        return true;
      }
      if (after.kind == TokenKind::space)
        back_3(std::move(variable), std::move(after));
      else
        back_2(std::move(variable));
      return true;
    }
    return true;
  }
  void declare(Node& out, const Token& variable) {
    out.names.push_back(variable.text);
    variables_.push_back(variable.text);
  }

  bool command(Node& out) {
    out = make(Kind::command, peek_word().offset);
    while (true) {
      peek_word();
      bool any = false;
      Node word;
      if (!operand(word, any)) return false;
      if (any) out.children.push_back(std::move(word));
      const Token& token = next();
      if (token.kind == TokenKind::space) continue;
      if (token.kind == TokenKind::right_delimiter || token.kind == TokenKind::right_paren)
        back();
      else if (token.kind != TokenKind::pipe)
        return unexpected(token, "operand");
      break;
    }
    return !out.children.empty() || fail("empty command");
  }

  bool operand(Node& out, bool& any) {
    if (!term(out, any) || !any) return shared_.error.empty();
    if (peek().kind != TokenKind::field) return true;
    const std::size_t offset = peek().offset;
    std::vector<std::string> fields;
    while (peek().kind == TokenKind::field) fields.push_back(next().text.substr(1));
    switch (out.kind) {
      case Kind::field:
      case Kind::variable:
        out.offset = offset;
        out.names.insert(out.names.end(), fields.begin(), fields.end());
        return true;
      case Kind::boolean:
      case Kind::string:
      case Kind::number:
      case Kind::nil:
      case Kind::dot:
        return fail(fmt::format("unexpected . after term {}", gotext::quote(source(out))));
      default: {
        Node chain = make(Kind::chain, offset);
        chain.names = std::move(fields);
        chain.children.push_back(std::move(out));
        out = std::move(chain);
        return true;
      }
    }
  }

  // `any` is false when the next token is no term.
  bool term(Node& out, bool& any) {
    const Token& token = next_word();
    any = true;
    switch (token.kind) {
      case TokenKind::identifier:
        out = make(Kind::identifier, token.offset);
        out.text = token.text;
        out.function = shared_.find(token.text);
        return out.function != nullptr || fail(fmt::format("function {} not defined", gotext::quote(token.text)));
      case TokenKind::dot:
        out = make(Kind::dot, token.offset);
        return true;
      case TokenKind::nil:
        out = make(Kind::nil, token.offset);
        return true;
      case TokenKind::variable:
        out = make(Kind::variable, token.offset);
        out.names = {token.text};
        return std::find(variables_.begin(), variables_.end(), token.text) != variables_.end() ||
               fail(fmt::format("undefined variable {}", gotext::quote(token.text)));
      case TokenKind::field:
        out = make(Kind::field, token.offset);
        out.names = {token.text.substr(1)};
        return true;
      case TokenKind::boolean:
        out = make(Kind::boolean, token.offset);
        out.truth = token.text == "true";
        return true;
      case TokenKind::complex:
        return fail(fmt::format("complex numbers are not supported: {}", token.text));
      case TokenKind::character_constant:
      case TokenKind::number: {
        out = make(Kind::number, token.offset);
        out.source = token.text;
        const std::string why = token.kind == TokenKind::number ? read_number(token.text, out) : read_character(token.text, out);
        return why.empty() || fail(why);
      }
      case TokenKind::left_paren: {
        if (++shared_.depth > kMaxDepth) return fail("max expression depth exceeded");
        const bool ok = pipeline(out, "parenthesized pipeline", TokenKind::right_paren);
        --shared_.depth;
        return ok;
      }
      case TokenKind::string:
      case TokenKind::raw_string: {
        out = make(Kind::string, token.offset);
        out.source = token.text;
        return template_name(token, out.text);
      }
      default:
        back();
        any = false;
        return true;
    }
  }

  Shared& shared_;
  std::string name_;
  Node root_;
  std::array<Token, 3> tokens_;
  std::size_t ahead_ = 0;  // tokens of tokens_ that are to be read again
  std::size_t action_line_ = 0;
  int loops_ = 0;
  std::vector<std::string> variables_ = {"$"};
};

// Notes the labels that a tree may read. `rebound`: the dot may be another than the labels here.
void note_reads(const Node& node, bool rebound, ParsedTemplate& out) {
  const bool dollar = node.kind == Kind::variable && node.names.front() == "$" && node.names.size() == 1;
  if (node.kind == Kind::field) out.names.push_back(node.names.front());
  if (node.kind == Kind::variable && node.names.size() > 1) out.names.push_back(node.names[1]);
  if (node.kind == Kind::chain) out.names.push_back(node.names.front());
  if (dollar || (node.kind == Kind::dot && !rebound)) out.reads_everything = true;
  for (const Node& child : node.children) note_reads(child, rebound, out);
  if (node.pipe != nullptr) note_reads(*node.pipe, rebound, out);
  if (node.body != nullptr) note_reads(*node.body, rebound || node.kind != Kind::if_, out);
  if (node.otherwise != nullptr) note_reads(*node.otherwise, rebound, out);
}

}  // namespace

base::Result<ParsedTemplate> parse_template(std::string_view text, std::string_view name, FindFunction find) {
  Shared shared(text, name, find);
  Parser parser(shared, std::string(name));
  if (!parser.whole()) return base::fail(base::Code::parse, "{}", shared.error);
  ParsedTemplate out;
  out.defined = std::move(shared.trees);
  for (const auto& [unused, tree] : out.defined) note_reads(tree, false, out);
  return out;
}

}  // namespace weir::gotemplate
