#include "loki/push_labels.h"

#include "base/quote.h"
#include "base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace weir::loki {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

struct Failure {
  std::size_t at;
  std::string what;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  PushedLabels read() {
    PushedLabels out;
    try {
      read_all(out.labels);
    } catch (const Failure& failure) {
      out.labels.clear();
      const std::string_view before = text_.substr(0, failure.at);
      const auto line = std::count(before.begin(), before.end(), '\n') + 1;
      const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
      out.error = fmt::format("{}:{}: parse error: {}", line, failure.at - start + 1, failure.what);
    }
    return out;
  }

 private:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  enum class Kind : std::uint8_t { end, open, close, comma, equal, other_operator, identifier, string };
  struct Token {
    Kind kind;
    std::size_t at;
    std::string_view text;
    std::string value = {};  // of a string
  };

  void read_all(Labels& labels) {
    Token token = next(false);
    if (token.kind == Kind::identifier) {
      labels.emplace_back("__name__", token.text);
      token = next(false);
      if (token.kind == Kind::end) return;
    }
    if (token.kind != Kind::open) unexpected(token, {});
    while (true) {
      token = next(true);
      if (token.kind == Kind::close) break;  // also behind a comma
      if (token.kind != Kind::identifier && token.kind != Kind::string) unexpected(token, R"(identifier or "}")");
      const std::string name = token.kind == Kind::string ? std::move(token.value) : std::string(token.text);
      token = next(true);
      if (token.kind != Kind::equal) unexpected(token, R"("=")");
      token = next(true);
      if (token.kind != Kind::string) unexpected(token, "string");
      labels.emplace_back(name, std::move(token.value));
      token = next(true);
      if (token.kind == Kind::close) break;
      if (token.kind != Kind::comma) unexpected(token, R"("," or "}")");
    }
    token = next(false);
    if (token.kind != Kind::end) unexpected(token, {});
  }

  [[noreturn]] static void unexpected(const Token& token, std::string_view wanted) {
    std::string what;
    switch (token.kind) {
      case Kind::end:
        what = "unexpected end of input";
        break;
      case Kind::identifier:
        what = fmt::format("unexpected identifier {}", base::quoted(token.text));
        break;
      case Kind::string:
        what = fmt::format("unexpected string {}", base::quoted(token.text));
        break;
      case Kind::other_operator:
        what = fmt::format("unexpected <op:{}>", token.text);
        break;
      default:
        what = fmt::format("unexpected {}", base::quoted(token.text));
    }
    if (!wanted.empty()) what += fmt::format(" in label set, expected {}", wanted);
    throw Failure{token.at, std::move(what)};
  }

  Token next(bool inside) {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    const std::size_t from = at_;
    if (at_ == text_.size()) {
      if (inside) throw Failure{from, "unexpected end of input inside braces"};
      return {Kind::end, from, {}};
    }
    const char c = text_[at_];
    const auto take = [&](Kind kind, std::size_t size) {
      at_ = from + size;
      return Token{kind, from, text_.substr(from, size)};
    };
    if (is_letter(c) || (c == ':' && !inside)) {
      std::size_t end = from + 1;
      while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) || (text_[end] == ':' && !inside))) ++end;
      return take(Kind::identifier, end - from);
    }
    switch (c) {
      case '{':
        if (inside) throw Failure{from, "unexpected left brace '{'"};
        return take(Kind::open, 1);
      case '}':
        if (!inside) throw Failure{from, "unexpected right brace '}'"};
        return take(Kind::close, 1);
      case ',':
        return take(Kind::comma, 1);
      case '=':
        return text_.substr(from).starts_with("=~") && inside ? take(Kind::other_operator, 2) : take(Kind::equal, 1);
      case '!':
        if (inside && (text_.substr(from).starts_with("!=") || text_.substr(from).starts_with("!~")))
          return take(Kind::other_operator, 2);
        break;
      case '"':
      case '\'':
        return string(c);
      case '`': {
        const std::size_t end = text_.find('`', from + 1);
        if (end == std::string_view::npos) throw Failure{from, "unterminated raw string"};
        for (std::size_t at = from + 1; at < end; ++at) check_rune(from, at);
        Token token = take(Kind::string, end - from + 1);
        token.value = text_.substr(from + 1, end - from - 1);
        return token;
      }
      default:
        break;
    }
    std::size_t length = 1;
    if (static_cast<unsigned char>(c) >= 0x80) static_cast<void>(base::decode_utf8(text_.substr(from), length));
    throw Failure{from, fmt::format("unexpected character{}: '{}'", inside ? " inside braces" : "", text_.substr(from, length))};
  }

  // Escapes as Go has them.
  Token string(char quote) {
    const std::size_t from = at_++;
    std::string value;
    while (true) {
      if (at_ == text_.size() || text_[at_] == '\n') throw Failure{from, "unterminated quoted string"};
      const char c = text_[at_++];
      if (c == quote) break;
      if (c != '\\') {
        check_rune(from, at_ - 1);
        value += c;
        continue;
      }
      if (at_ == text_.size()) throw Failure{from, "unterminated quoted string"};
      escape(from, quote, value);
    }
    return {Kind::string, from, text_.substr(from, at_ - from), std::move(value)};
  }

  // At the first byte of a character. Those that follow it are no first bytes, and part of what was checked.
  void check_rune(std::size_t from, std::size_t at) {
    if (static_cast<unsigned char>(text_[at]) < 0x80 || at < checked_) return;
    std::size_t length = 1;
    if (base::decode_utf8(text_.substr(at), length) == base::kReplacement) throw Failure{from, "invalid UTF-8 rune"};
    checked_ = at + length;
  }

  void escape(std::size_t from, char quote, std::string& value) {
    constexpr std::string_view kNames = "abfnrtv\\";
    constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\";
    const char c = text_[at_++];
    if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
      value += kBytes[known];
    } else if (c == quote) {
      value += c;
    } else if (c == 'x') {
      value += static_cast<char>(digits(from, 2, 16));
    } else if (c == 'u' || c == 'U') {
      const std::uint32_t point = digits(from, c == 'u' ? 4 : 8, 16);
      if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        throw Failure{from, "escape sequence is an invalid Unicode code point"};
      base::append_utf8(value, point);
    } else if (c >= '0' && c <= '7') {
      --at_;
      const std::uint32_t byte = digits(from, 3, 8);
      if (byte > 0xff) throw Failure{from, "escape sequence is an invalid Unicode code point"};
      value += static_cast<char>(byte);
    } else {
      std::size_t length = 1;
      const char32_t point = base::decode_utf8(text_.substr(at_ - 1), length);
      throw Failure{from, fmt::format("unknown escape sequence U+{:04X} '{}'", static_cast<std::uint32_t>(point),
                                      text_.substr(at_ - 1, length))};
    }
  }

  std::uint32_t digits(std::size_t from, std::size_t count, std::uint32_t base) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      std::uint32_t digit = 16;
      if (is_digit(c)) digit = static_cast<std::uint32_t>(c - '0');
      if (c >= 'a' && c <= 'f') digit = static_cast<std::uint32_t>(c - 'a') + 10;
      if (c >= 'A' && c <= 'F') digit = static_cast<std::uint32_t>(c - 'A') + 10;
      if (digit >= base) throw Failure{from, "illegal character in escape sequence"};
      value = value * base + digit;
    }
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t checked_ = 0;  // up to here it is UTF-8
};

}  // namespace

PushedLabels read_pushed_labels(std::string_view text) {
  // Loki takes a stream without a label string; it gets service_name.
  if (text.empty()) return {};
  return Reader(text).read();
}

}  // namespace weir::loki
