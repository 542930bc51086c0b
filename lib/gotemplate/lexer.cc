#include "gotemplate/lexer.h"

#include "base/utf8.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::gotemplate {
namespace {

constexpr std::string_view kLeft = "{{";
constexpr std::string_view kRight = "}}";
constexpr char32_t kEnd = 0xffffffff;
constexpr std::string_view kSpaces = " \t\r\n";

bool is_space(char32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

constexpr std::array<std::pair<std::string_view, TokenKind>, 11> kKeywords = {{{"block", TokenKind::block},
                                                                               {"break", TokenKind::break_},
                                                                               {"continue", TokenKind::continue_},
                                                                               {"define", TokenKind::define},
                                                                               {"else", TokenKind::else_},
                                                                               {"end", TokenKind::end},
                                                                               {"if", TokenKind::if_},
                                                                               {"nil", TokenKind::nil},
                                                                               {"range", TokenKind::range},
                                                                               {"template", TokenKind::template_},
                                                                               {"with", TokenKind::with}}};

}  // namespace

std::string describe(const Token& token) {
  if (token.kind == TokenKind::end_of_text) return "EOF";
  if (token.kind == TokenKind::error) return token.text;
  if (token.kind >= TokenKind::block) return fmt::format("<{}>", token.text);
  if (token.text.size() <= 10) return gotext::quote(token.text);
  std::size_t end = 0;
  for (int i = 0; i < 10 && end < token.text.size(); ++i)
    end += std::max<std::size_t>(base::utf8_length(std::string_view(token.text).substr(end)), 1);
  return gotext::quote(std::string_view(token.text).substr(0, end)) + "...";
}

Token Lexer::next() {
  Step step = inside_ ? inside_action() : text();
  while (step != Step::done) {
    step = step == Step::text ? text() : step == Step::left_delimiter ? left_delimiter() : comment();
  }
  return std::move(token_);
}

Lexer::Step Lexer::emit(TokenKind kind) {
  token_ = {.kind = kind, .offset = start_, .text = std::string(input_.substr(start_, position_ - start_)), .line = line_};
  ignore();
  return Step::done;
}

// The rest of the text is not read any more.
Lexer::Step Lexer::fail(std::string message) {
  token_ = {.kind = TokenKind::error, .offset = start_, .text = std::move(message), .line = line_};
  start_ = position_ = 0;
  input_ = {};
  return Step::done;
}

void Lexer::ignore() {
  const std::string_view passed = input_.substr(start_, position_ - start_);
  line_ += static_cast<std::size_t>(std::count(passed.begin(), passed.end(), '\n'));
  start_ = position_;
}

char32_t Lexer::peek(std::size_t& length) const {
  length = 0;
  return position_ < input_.size() ? base::decode_utf8(input_.substr(position_), length) : kEnd;
}

bool Lexer::accept(std::string_view set) {
  if (position_ >= input_.size() || set.find(input_[position_]) == std::string_view::npos) return false;
  ++position_;
  return true;
}
void Lexer::accept_run(std::string_view set) {
  while (accept(set)) continue;
}

bool Lexer::at_right_delimiter(bool& trims) const {
  trims = is_space(static_cast<unsigned char>(byte())) && byte(1) == '-' && starts(position_ + 2, kRight);
  return trims || starts(position_, kRight);
}

// Whether a word may end here.
bool Lexer::at_terminator() const {
  if (position_ >= input_.size()) return true;
  return is_space(static_cast<unsigned char>(byte())) || std::string_view(".,|:)(").find(byte()) != std::string_view::npos ||
         starts(position_, kRight);
}

bool Lexer::at_word(std::size_t& length) const {
  const char32_t c = peek(length);
  if (c == kEnd) return false;
  if (c < 0x80) return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  const std::string_view character = input_.substr(position_, length);
  return base::utf8_length(character) == length && (gotext::is_letter(character) || gotext::is_decimal_digit(character));
}

// U+0025 '%'
std::string Lexer::bad_character() const {
  std::size_t length = 0;
  const char32_t c = peek(length);
  std::string character;
  base::append_utf8(character, c);
  std::string out = fmt::format("U+{:04X}", static_cast<std::uint32_t>(c));
  if (gotext::is_printable(character)) out += fmt::format(" '{}'", character);
  return out;
}

Lexer::Step Lexer::text() {
  const std::size_t open = input_.find(kLeft, position_);
  if (open == std::string_view::npos) {
    position_ = input_.size();
    return emit(position_ > start_ ? TokenKind::text : TokenKind::end_of_text);
  }
  if (open == position_) return Step::left_delimiter;
  std::size_t end = open;
  if (at(open + 2) == '-' && is_space(static_cast<unsigned char>(at(open + 3)))) {
    while (end > start_ && kSpaces.find(input_[end - 1]) != std::string_view::npos) --end;
  }
  position_ = end;
  const bool any = end > start_;
  emit(TokenKind::text);
  position_ = open;
  ignore();
  return any ? Step::done : Step::left_delimiter;
}

Lexer::Step Lexer::left_delimiter() {
  position_ += kLeft.size();
  const std::size_t marker = byte() == '-' && is_space(static_cast<unsigned char>(byte(1))) ? 2 : 0;
  if (starts(position_ + marker, "/*")) {
    position_ += marker;
    ignore();
    return Step::comment;
  }
  emit(TokenKind::left_delimiter);
  inside_ = true;
  position_ += marker;
  ignore();
  parens_ = 0;
  return Step::done;
}

Lexer::Step Lexer::comment() {
  const std::size_t stop = input_.find("*/", position_ + 2);
  if (stop == std::string_view::npos) return fail("unclosed comment");
  position_ = stop + 2;
  bool trims = false;
  if (!at_right_delimiter(trims)) return fail("comment ends before closing delimiter");
  position_ += kRight.size() + (trims ? 2 : 0);
  if (trims) accept_run(kSpaces);
  ignore();
  return Step::text;
}

Lexer::Step Lexer::right_delimiter() {
  bool trims = false;
  [[maybe_unused]] const bool here = at_right_delimiter(trims);
  position_ += trims ? 2 : 0;
  ignore();
  position_ += kRight.size();
  emit(TokenKind::right_delimiter);
  if (trims) {
    accept_run(kSpaces);
    ignore();
  }
  inside_ = false;
  return Step::done;
}

Lexer::Step Lexer::inside_action() {
  bool trims = false;
  if (at_right_delimiter(trims)) return parens_ == 0 ? right_delimiter() : fail("unclosed left paren");
  std::size_t length = 0;
  const char32_t c = peek(length);
  if (c == kEnd) return fail("unclosed action");
  if (is_space(c)) return spaces();
  if (c >= '0' && c <= '9') return number();
  std::size_t word = 0;
  if (at_word(word)) return identifier();
  position_ += length;
  switch (c) {
    case '=':
      return emit(TokenKind::assign);
    case ':':
      if (byte() != '=') return fail("expected :=");
      ++position_;
      return emit(TokenKind::declare);
    case '|':
      return emit(TokenKind::pipe);
    case '"':
      return quoted('"', TokenKind::string, "unterminated quoted string");
    case '\'':
      return quoted('\'', TokenKind::character_constant, "unterminated character constant");
    case '`':
      return raw_quoted();
    case '$':
      return at_terminator() ? emit(TokenKind::variable) : field_or_variable(TokenKind::variable);
    case '.':
      if (position_ < input_.size() && (byte() < '0' || byte() > '9')) return field_or_variable(TokenKind::field);
      --position_;
      return number();
    case '+':
    case '-':
      --position_;
      return number();
    case '(':
      ++parens_;
      return emit(TokenKind::left_paren);
    case ')':
      return --parens_ < 0 ? fail("unexpected right paren") : emit(TokenKind::right_paren);
    default:
      break;
  }
  if (c > ' ' && c < 0x7f) return emit(TokenKind::character);
  position_ -= length;
  return fail("unrecognized character in action: " + bad_character());
}

// A right delimiter with a trim marker begins with a space.
Lexer::Step Lexer::spaces() {
  std::size_t count = 0;
  while (position_ < input_.size() && is_space(static_cast<unsigned char>(byte()))) {
    ++position_;
    ++count;
  }
  if (byte() == '-' && starts(position_ + 1, kRight)) {
    --position_;
    if (count == 1) return right_delimiter();
  }
  return emit(TokenKind::space);
}

Lexer::Step Lexer::identifier() {
  std::size_t length = 0;
  while (at_word(length)) position_ += length;
  if (!at_terminator()) return fail("bad character " + bad_character());
  const std::string_view word = input_.substr(start_, position_ - start_);
  for (const auto& [name, kind] : kKeywords) {
    if (name == word) return emit(kind);
  }
  return emit(word == "true" || word == "false" ? TokenKind::boolean : TokenKind::identifier);
}

Lexer::Step Lexer::field_or_variable(TokenKind kind) {
  if (at_terminator()) return emit(kind == TokenKind::variable ? kind : TokenKind::dot);
  std::size_t length = 0;
  while (at_word(length)) position_ += length;
  if (!at_terminator()) return fail("bad character " + bad_character());
  return emit(kind);
}

Lexer::Step Lexer::number() {
  const auto bad = [this] { return fail("bad number syntax: " + gotext::quote(input_.substr(start_, position_ - start_))); };
  if (!scan_number()) return bad();
  if (byte() == '+' || byte() == '-') {
    if (!scan_number() || input_[position_ - 1] != 'i') return bad();
    return emit(TokenKind::complex);
  }
  return emit(TokenKind::number);
}

bool Lexer::scan_number() {
  accept("+-");
  std::string_view digits = "0123456789_";
  int radix = 10;
  if (accept("0")) {
    if (accept("xX")) {
      digits = "0123456789abcdefABCDEF_";
      radix = 16;
    } else if (accept("oO")) {
      digits = "01234567_";
      radix = 8;
    } else if (accept("bB")) {
      digits = "01_";
      radix = 2;
    }
  }
  accept_run(digits);
  if (accept(".")) accept_run(digits);
  if ((radix == 10 && accept("eE")) || (radix == 16 && accept("pP"))) {
    accept("+-");
    accept_run("0123456789_");
  }
  accept("i");
  std::size_t length = 0;
  if (!at_word(length)) return true;
  position_ += length;
  return false;
}

Lexer::Step Lexer::quoted(char quote, TokenKind kind, std::string_view complaint) {
  while (true) {
    char c = byte();
    if (position_ >= input_.size() || c == '\n') return fail(std::string(complaint));
    ++position_;
    if (c == quote) return emit(kind);
    if (c != '\\') continue;
    if (position_ >= input_.size() || byte() == '\n') return fail(std::string(complaint));
    ++position_;
  }
}

Lexer::Step Lexer::raw_quoted() {
  const std::size_t stop = input_.find('`', position_);
  if (stop == std::string_view::npos) return fail("unterminated raw quoted string");
  position_ = stop + 1;
  return emit(TokenKind::raw_string);
}

}  // namespace weir::gotemplate
