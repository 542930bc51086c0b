#include "logql/query_words.h"

#include <algorithm>
#include <cctype>

namespace weir::logql {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string lower_word(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

bool is_line_operator(TokenKind kind) {
  switch (kind) {
    case TokenKind::contains:
    case TokenKind::pipe_regex:
    case TokenKind::pipe_pattern:
    case TokenKind::not_pattern:
      return true;
    default:
      return false;
  }
}

bool is_comparison(TokenKind kind) {
  switch (kind) {
    case TokenKind::equal:
    case TokenKind::not_equal:
    case TokenKind::regex:
    case TokenKind::not_regex:
    case TokenKind::compare_equal:
    case TokenKind::greater:
    case TokenKind::greater_equal:
    case TokenKind::less:
    case TokenKind::less_equal:
      return true;
    default:
      return false;
  }
}

QueryWords::QueryWords(std::string_view query, const ParseError& error) : query_(query), tokens_(tokenize(query)) {
  const auto found = std::ranges::find_if(tokens_, [&](const Token& token) { return token.offset >= error.offset; });
  at_ = static_cast<std::size_t>(found - tokens_.begin());
  if (at_ == tokens_.size()) --at_;
}

const Token& QueryWords::token(std::ptrdiff_t relative) const {
  static const Token none;
  const auto index = static_cast<std::ptrdiff_t>(at_) + relative;
  return index < 0 || index >= static_cast<std::ptrdiff_t>(tokens_.size()) ? none : tokens_[static_cast<std::size_t>(index)];
}

std::string_view QueryWords::word_at(std::size_t offset) const {
  const std::string_view rest = from(offset);
  return rest.substr(0, rest.find_first_of(" \t\r\n,|{}()\"'`"));
}

std::string_view QueryWords::words_at(std::size_t offset) const {
  const std::string_view rest = from(offset);
  return without_blanks(rest.substr(0, rest.find_first_of("|{}()\"`\n")));
}

}  // namespace weir::logql
