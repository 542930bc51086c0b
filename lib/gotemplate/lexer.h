// The tokens of a template, as Go's text/template cuts them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::gotemplate {

enum class TokenKind : std::uint8_t {
  error,  // the text is the message; no token follows
  boolean,
  character,  // one printable ASCII character, such as a comma
  character_constant,
  complex,
  assign,
  declare,
  end_of_text,
  field,  // with its point
  identifier,
  left_delimiter,
  left_paren,
  number,
  pipe,
  raw_string,  // with its quotes
  right_delimiter,
  right_paren,
  space,
  string,  // with its quotes
  text,
  variable,  // with its $
  // Keywords follow.
  block,
  break_,
  continue_,
  dot,
  define,
  else_,
  end,
  if_,
  nil,
  range,
  template_,
  with,
};

struct Token {
  TokenKind kind = TokenKind::error;
  std::size_t offset = 0;
  std::string text;
  std::size_t line = 0;  // from 1; 0: no token was read yet
};

// How messages show a token.
[[nodiscard]] std::string describe(const Token& token);

class Lexer {
 public:
  // `input` must outlive the lexer.
  explicit Lexer(std::string_view input) : input_(input) {}
  Token next();

 private:
  enum class Step : std::uint8_t { done, text, left_delimiter, comment };
  Step text();
  Step left_delimiter();
  Step comment();
  Step inside_action();
  Step right_delimiter();
  Step spaces();
  Step identifier();
  Step field_or_variable(TokenKind kind);
  Step number();
  Step quoted(char quote, TokenKind kind, std::string_view complaint);
  Step raw_quoted();
  bool scan_number();

  Step emit(TokenKind kind);
  Step fail(std::string message);
  [[nodiscard]] char32_t peek(std::size_t& length) const;  // kEnd at the end
  [[nodiscard]] char byte(std::size_t ahead = 0) const { return at(position_ + ahead); }
  [[nodiscard]] char at(std::size_t i) const { return i < input_.size() ? input_[i] : '\0'; }
  [[nodiscard]] bool starts(std::size_t from, std::string_view what) const {
    return from <= input_.size() && input_.substr(from).starts_with(what);
  }
  bool accept(std::string_view set);
  void accept_run(std::string_view set);
  void ignore();
  [[nodiscard]] bool at_right_delimiter(bool& trims) const;
  [[nodiscard]] bool at_terminator() const;
  [[nodiscard]] bool at_word(std::size_t& length) const;
  [[nodiscard]] std::string bad_character() const;

  std::string_view input_;
  std::size_t position_ = 0;
  std::size_t start_ = 0;  // of the token being read
  std::size_t line_ = 1;   // of start_
  int parens_ = 0;
  bool inside_ = false;
  Token token_;
};

}  // namespace weir::gotemplate
