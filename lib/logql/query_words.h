// The words of a query that does not parse around the place of its error, for the advice on it (advice.h).
#pragma once

#include "gotext/unicode.h"
#include "logql/advice.h"
#include "logql/lexer.h"
#include "logql/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::logql {

[[nodiscard]] bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words);
[[nodiscard]] std::string lower_word(std::string_view text);
[[nodiscard]] std::string_view without_blanks(std::string_view text);  // at its ends

[[nodiscard]] bool is_line_operator(TokenKind kind);  // of those that stand nowhere else
[[nodiscard]] bool is_comparison(TokenKind kind);

class QueryWords {
 public:
  QueryWords(std::string_view query, const ParseError& error);

 protected:
  static constexpr std::size_t kMostWord = 60;

  // The token of the error, and those before and behind it. Loki stops at the error; so do the tokens.
  [[nodiscard]] const Token& token(std::ptrdiff_t relative = 0) const;
  [[nodiscard]] TokenKind kind(std::ptrdiff_t relative = 0) const { return token(relative).kind; }
  [[nodiscard]] std::string_view from(std::size_t offset) const { return query_.substr(std::min(offset, query_.size())); }
  [[nodiscard]] std::string_view here() const { return from(token().offset); }
  // The word at `offset`, up to what separates values.
  [[nodiscard]] std::string_view word_at(std::size_t offset) const;
  // Words at `offset`, up to the next stage.
  [[nodiscard]] std::string_view words_at(std::size_t offset) const;

  template <typename... Args>
  [[nodiscard]] static Advice say(std::size_t offset, fmt::format_string<Args...> text, Args&&... args) {
    return {fmt::format(text, std::forward<Args>(args)...), offset};
  }
  [[nodiscard]] static std::string clipped(std::string_view text) { return clip(text, kMostWord); }
  [[nodiscard]] static std::string quoted(std::string_view text) { return gotext::quote(clipped(text)); }

  const std::string_view query_;
  const std::vector<Token> tokens_;
  std::size_t at_ = 0;  // of the token of the error
};

}  // namespace weir::logql
