#include "logql/lexer.h"

#include "base/hex.h"
#include "base/utf8.h"
#include "gotext/quantity.h"
#include "gotext/unicode.h"
#include "logql/function_names.h"
#include "logql/lexer_number.h"
#include "names/label_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace weir::logql {
namespace {

struct Word {
  std::string_view text;
  TokenKind kind;
};

// The kinds of keywords stand in the order of their words.
static_assert(names::kKeywords.size() ==
              static_cast<std::size_t>(TokenKind::keyword_of) - static_cast<std::size_t>(TokenKind::keyword_by) + 1);
static_assert(names::kKeywords.front() == "by" && names::kKeywords.back() == "of");

// Two characters before one.
constexpr std::array<Word, 10> kPairs = {{{"|=", TokenKind::contains},
                                          {"|~", TokenKind::pipe_regex},
                                          {"|>", TokenKind::pipe_pattern},
                                          {"!=", TokenKind::not_equal},
                                          {"!~", TokenKind::not_regex},
                                          {"!>", TokenKind::not_pattern},
                                          {"=~", TokenKind::regex},
                                          {"==", TokenKind::compare_equal},
                                          {">=", TokenKind::greater_equal},
                                          {"<=", TokenKind::less_equal}}};

constexpr std::array<Word, 17> kSingles = {{{"{", TokenKind::open_brace},
                                            {"}", TokenKind::close_brace},
                                            {"(", TokenKind::open_paren},
                                            {")", TokenKind::close_paren},
                                            {"]", TokenKind::close_bracket},
                                            {",", TokenKind::comma},
                                            {".", TokenKind::dot},
                                            {"=", TokenKind::equal},
                                            {"|", TokenKind::pipe},
                                            {">", TokenKind::greater},
                                            {"<", TokenKind::less},
                                            {"+", TokenKind::add},
                                            {"-", TokenKind::sub},
                                            {"*", TokenKind::mul},
                                            {"/", TokenKind::div},
                                            {"%", TokenKind::mod},
                                            {"^", TokenKind::pow}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
int hex_value(char c) { return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string upper_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view query) : query_(query) {}

  std::vector<Token> run() {
    if (query_.size() >= kMaxQueryBytes) {
      Token token;
      fail(token, fmt::format("input size too long ({} > {})", query_.size(), kMaxQueryBytes));
      tokens_.push_back(std::move(token));
      return std::move(tokens_);
    }
    while (true) {
      tokens_.push_back(next());
      const TokenKind kind = tokens_.back().kind;
      if (kind == TokenKind::end || kind == TokenKind::error) return std::move(tokens_);
    }
  }

 private:
  [[nodiscard]] char at(std::size_t i) const { return i < query_.size() ? query_[i] : '\0'; }
  [[nodiscard]] bool starts(std::string_view text) const { return query_.substr(position_).starts_with(text); }

  static void fail(Token& token, std::string why) {
    token.kind = TokenKind::error;
    token.text = std::move(why);
  }

  // Moves to `end`, counting lines and characters.
  void advance_to(std::size_t end) {
    for (; position_ < end && position_ < query_.size(); ++position_) {
      if (query_[position_] == '\n') {
        ++line_;
        column_ = 1;
      } else if ((static_cast<unsigned char>(query_[position_]) & 0xc0) != 0x80) {
        ++column_;
      }
    }
  }

  [[nodiscard]] Token start() const {
    Token token;
    token.offset = position_;
    token.line = line_;
    token.column = column_;
    return token;
  }

  // Skips white space and comments; false (with `token` an error) at a comment that does not end.
  bool skip_blank(Token& token) {
    while (position_ < query_.size()) {
      const char c = query_[position_];
      if (is_blank(c)) {
        advance_to(position_ + 1);
      } else if (c == '#' || starts("//")) {
        advance_to(std::min(query_.find('\n', position_), query_.size()));
      } else if (starts("/*")) {
        const std::size_t end = query_.find("*/", position_ + 2);
        if (end == std::string_view::npos) {
          token = start();
          fail(token, "comment not terminated");
          return false;
        }
        advance_to(end + 2);
      } else {
        break;
      }
    }
    token = start();
    return true;
  }

  Token next() {
    Token token;
    if (!skip_blank(token)) return token;
    if (position_ >= query_.size()) return token;
    const char c = query_[position_];
    if (c == '"' || c == '`') return string(token);
    if (c == '\'') return char_literal(token);
    if (c == '[') return range(token);
    if (is_digit(c) || (c == '.' && is_digit(at(position_ + 1)))) return number(token);
    if (c == '-' && is_digit(at(position_ + 1))) {
      if (duration_from(token, position_ + 1)) return token;
    }
    if (starts("--")) {
      for (const std::string_view flag : {"--strict", "--keep-empty"}) {
        if (!starts(flag)) continue;
        const std::string_view after = query_.substr(position_ + flag.size());
        if (after.starts_with('-') || gotext::is_letter(after.substr(0, base::utf8_length(after)))) continue;
        return take(token, TokenKind::parser_flag, flag.size(), true);
      }
    }
    const std::size_t name = identifier_end(position_);
    if (name > position_) return word(token, name);
    for (const Word& pair : kPairs) {
      if (starts(pair.text)) return take(token, pair.kind, 2, true);
    }
    for (const Word& single : kSingles) {
      if (starts(single.text)) return take(token, single.kind, 1, false);
    }
    return other(token);
  }

  Token take(Token& token, TokenKind kind, std::size_t length, bool loses_line) {
    token.kind = kind;
    token.text = std::string(query_.substr(position_, length));
    token.line_is_lost = loses_line;
    advance_to(position_ + length);
    return std::move(token);
  }

  // A character that begins no token of LogQL; Loki's parser sees a name of one character.
  Token other(Token& token) {
    const std::size_t length = base::utf8_length(query_.substr(position_));
    if (length == 0) {
      fail(token, "invalid UTF-8 encoding");
      return std::move(token);
    }
    if (query_[position_] == '\0') {
      fail(token, "invalid character NUL");
      return std::move(token);
    }
    return take(token, TokenKind::identifier, length, false);
  }

  [[nodiscard]] std::size_t identifier_end(std::size_t from) const {
    std::size_t i = from;
    while (i < query_.size()) {
      const auto c = static_cast<unsigned char>(query_[i]);
      if (c < 0x80) {
        const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && c != '_' && !(i > from && is_digit(query_[i]))) break;
        ++i;
        continue;
      }
      const std::size_t length = base::utf8_length(query_.substr(i));
      const std::string_view rune = query_.substr(i, length);
      if (length == 0 || !(gotext::is_letter(rune) || (i > from && gotext::is_decimal_digit(rune)))) break;
      i += length;
    }
    return i;
  }

  Token word(Token& token, std::size_t end) {
    const std::string_view text = query_.substr(position_, end - position_);
    const std::string folded = lower_ascii(text);
    token.text = std::string(text);
    token.kind = TokenKind::identifier;
    const auto keyword = std::find(names::kKeywords.begin(), names::kKeywords.end(), folded);
    if (keyword != names::kKeywords.end()) {
      token.kind =
          static_cast<TokenKind>(static_cast<std::ptrdiff_t>(TokenKind::keyword_by) + (keyword - names::kKeywords.begin()));
    }
    if (token.kind == TokenKind::identifier && called(end)) {
      if (folded == "ip") token.kind = TokenKind::ip;
      if (folded == "bytes" || folded == "duration" || folded == "duration_seconds") token.kind = TokenKind::conversion;
      if (is_range_function(folded) || is_metric_function(folded) || folded == kVectorFunction) token.kind = TokenKind::function;
      if (token.kind != TokenKind::identifier) token.text = folded;
    }
    advance_to(end);
    return std::move(token);
  }

  // Whether what follows makes a name a function: `(`, or `by (` and `without (`.
  [[nodiscard]] bool called(std::size_t from) const {
    std::size_t i = skip_spaces(from);
    if (at(i) == '(') return true;
    const std::size_t end = identifier_end(i);
    const std::string next = lower_ascii(query_.substr(i, end - i));
    return (next == "by" || next == "without") && at(skip_spaces(end)) == '(';
  }

  [[nodiscard]] std::size_t skip_spaces(std::size_t i) const {
    while (is_blank(at(i))) ++i;
    return i;
  }

  Token range(Token& token) {
    const std::size_t close = query_.find(']', position_);
    token.line_is_lost = true;
    if (close == std::string_view::npos) {
      fail(token, "missing closing ']' in duration");
      return std::move(token);
    }
    const std::string_view inside = query_.substr(position_ + 1, close - position_ - 1);
    std::string why;
    const auto duration = gotext::parse_range_duration(inside, &why);
    if (!duration) {
      fail(token, std::move(why));
      return std::move(token);
    }
    token.duration = *duration;
    return take(token, TokenKind::range, close + 1 - position_, true);
  }

  // A duration whose digits begin at `digits`; the token may have a sign before them.
  bool duration_from(Token& token, std::size_t digits) {
    std::size_t end = digits;
    while (end < query_.size()) {
      if (is_digit(query_[end]) || std::string_view(".numshdwy").find(query_[end]) != std::string_view::npos) {
        ++end;
      } else if (query_.substr(end, 2) == "\xc2\xb5") {
        end += 2;
      } else {
        break;
      }
    }
    const std::string_view text = query_.substr(position_, end - position_);
    if (is_digit(text.back()) && text != "-0") return false;  // a number
    std::optional<base::Duration> duration;
    if (digits == position_) duration = gotext::parse_range_duration(text);
    if (!duration) duration = gotext::parse_go_duration(text);
    if (!duration) return false;
    token.duration = *duration;
    token = take(token, TokenKind::duration, text.size(), true);
    return true;
  }

  bool bytes_from(Token& token) {
    std::size_t end = position_;
    while (end < query_.size() && (is_digit(query_[end]) || query_[end] == '.')) ++end;
    const std::size_t unit = end;
    while (end < query_.size() && std::string_view("BikKMGTP").find(query_[end]) != std::string_view::npos) ++end;
    if (end == unit) return false;
    const auto bytes = gotext::parse_bytes(query_.substr(position_, end - position_));
    if (!bytes) return false;
    token.bytes = *bytes;
    token = take(token, TokenKind::bytes, end - position_, true);
    return true;
  }

  Token number(Token& token) {
    std::string why;
    const std::size_t end = number_end(query_, position_, why);
    if (!why.empty()) {
      fail(token, std::move(why));
      return std::move(token);
    }
    if (duration_from(token, position_) || bytes_from(token)) return token;
    return take(token, TokenKind::number, end - position_, false);
  }

  // 'x' is a name of one character to Loki's parser, anything longer an error.
  Token char_literal(Token& token) {
    const std::size_t length = base::utf8_length(query_.substr(std::min(position_ + 1, query_.size())));
    const std::size_t close = query_.find('\'', position_ + 1);
    if (close == std::string_view::npos || query_.substr(position_, close - position_).find('\n') != std::string_view::npos) {
      fail(token, "literal not terminated");
    } else if (length == 0 || close != position_ + 1 + length) {
      fail(token, "invalid char literal");
    } else {
      return take(token, TokenKind::identifier, length + 2, false);
    }
    return std::move(token);
  }

  Token string(Token& token) {
    const char quote = query_[position_];
    std::size_t i = position_ + 1;
    std::string why;
    while (true) {
      if (i >= query_.size() || (quote == '"' && query_[i] == '\n')) {
        fail(token, why.empty() ? "literal not terminated" : why);
        return std::move(token);
      }
      if (query_[i] == quote) break;
      if (quote == '"' && query_[i] == '\\') {
        i = escape(i, token.text, why);
        continue;
      }
      const std::size_t length = base::utf8_length(query_.substr(i));
      if (length == 0 && why.empty()) why = "invalid UTF-8 encoding";
      if (query_[i] == '\0' && why.empty()) why = "invalid character NUL";
      if (quote == '"' || query_[i] != '\r') token.text.append(query_, i, std::max<std::size_t>(length, 1));
      i += std::max<std::size_t>(length, 1);
    }
    if (!why.empty()) {
      fail(token, std::move(why));
      return std::move(token);
    }
    token.kind = TokenKind::string;
    advance_to(i + 1);
    return std::move(token);
  }

  // One escape of a quoted string, decoded to `out`; returns where it ends.
  std::size_t escape(std::size_t i, std::string& out, std::string& why) const {
    constexpr std::string_view kNames = "abfnrtv\\\"";
    constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\\"";
    const char c = at(i + 1);
    if (const std::size_t known = kNames.find(c); known != std::string_view::npos && c != '\0') {
      out += kBytes[known];
      return i + 2;
    }
    std::size_t digits = 0;
    std::uint32_t base = 16;
    std::size_t from = i + 2;
    if (c >= '0' && c <= '7') {
      digits = 3;
      base = 8;
      from = i + 1;
    } else if (c == 'x') {
      digits = 2;
    } else if (c == 'u') {
      digits = 4;
    } else if (c == 'U') {
      digits = 8;
    }
    std::uint32_t value = 0;
    bool valid = digits > 0;
    for (std::size_t k = 0; k < digits && valid; ++k) {
      const char d = at(from + k);
      valid = base::is_hex_digit(d) && hex_value(d) < static_cast<int>(base);
      if (valid) value = value * base + static_cast<std::uint32_t>(hex_value(d));
    }
    if (!valid) {
      if (why.empty()) why = "invalid char escape";
      return i + 2;
    }
    if ((base == 8 && value > 255) || value > 0x10ffff) {
      if (why.empty()) why = "invalid syntax";
    } else if (c == 'u' || c == 'U') {
      base::append_utf8(out, value);
    } else {
      out += static_cast<char>(value);
    }
    return from + digits;
  }

  std::string_view query_;
  std::size_t position_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t column_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::string Token::name() const {
  switch (kind) {
    case TokenKind::end:
      return "$end";
    case TokenKind::error:
      return text;
    case TokenKind::identifier:
      return "IDENTIFIER";
    case TokenKind::string:
      return "STRING";
    case TokenKind::number:
      return "NUMBER";
    case TokenKind::duration:
      return "DURATION";
    case TokenKind::bytes:
      return "BYTES";
    case TokenKind::range:
      return "RANGE";
    case TokenKind::parser_flag:
      return "FUNCTION_FLAG";
    case TokenKind::function:
      return text == "label_replace" ? text : upper_ascii(text);
    case TokenKind::conversion:
      return upper_ascii(text) + "_CONV";
    default:
      return lower_ascii(text);
  }
}

std::vector<Token> tokenize(std::string_view query) { return Lexer(query).run(); }

}  // namespace weir::logql
