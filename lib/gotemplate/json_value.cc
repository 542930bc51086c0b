#include "base/utf8.h"
#include "gotemplate/value.h"
#include "gotext/quantity.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::gotemplate {
namespace {

constexpr int kMaxDepth = 1000;  // Go reads ten times as much

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A reader that refuses what RFC 8259 does not allow. Functions return false when the text is not JSON.
class Reader {
 public:
  Reader(std::string_view text, StringPool& keep) : text_(text), keep_(keep) {}

  bool whole(Value& out) {
    if (!value(out, 0)) return false;
    skip_space();
    return position_ == text_.size();
  }

 private:
  [[nodiscard]] char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool skip(char c) {
    if (peek() != c || position_ >= text_.size()) return false;
    ++position_;
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++position_;
  }
  bool word(std::string_view name) {
    if (!text_.substr(position_).starts_with(name)) return false;
    position_ += name.size();
    return true;
  }

  bool value(Value& out, int depth) {
    if (depth > kMaxDepth) return false;
    skip_space();
    bool ok = false;
    switch (peek()) {
      case '{':
        ok = object(out, depth);
        break;
      case '[':
        ok = array(out, depth);
        break;
      case '"': {
        std::string_view text;
        ok = string(text);
        out = Value::of(text);
        break;
      }
      case 't':
        ok = word("true");
        out = Value::of(true);
        break;
      case 'f':
        ok = word("false");
        out = Value::of(false);
        break;
      case 'n':
        ok = word("null");
        out = Value::nothing();
        break;
      default:
        ok = number(out);
    }
    out.boxed = true;
    return ok;
  }

  bool number(Value& out) {
    const std::size_t begin = position_;
    skip('-');
    if (!is_digit(peek())) return false;
    if (!skip('0')) digits();
    if (skip('.') && !digits()) return false;
    if (skip('e') || skip('E')) {
      if (!skip('+')) skip('-');
      if (!digits()) return false;
    }
    // Go keeps nil for a number that does not fit.
    const auto number = gotext::parse_float(text_.substr(begin, position_ - begin));
    out = number ? Value::of(*number) : Value::nothing();
    return true;
  }
  bool digits() {
    const std::size_t begin = position_;
    while (is_digit(peek())) ++position_;
    return position_ > begin;
  }

  bool string(std::string_view& out) {
    const std::size_t begin = ++position_;
    bool plain = true;
    for (; peek() != '"'; ++position_) {
      if (position_ >= text_.size() || static_cast<unsigned char>(peek()) < 0x20) return false;
      if (peek() != '\\') continue;
      plain = false;
      ++position_;
      if (peek() == 'u') {
        for (int i = 0; i < 4; ++i) {
          ++position_;
          if (!std::isxdigit(static_cast<unsigned char>(peek()))) return false;
        }
      } else if (position_ >= text_.size() || std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos) {
        return false;
      }
    }
    out = text_.substr(begin, position_++ - begin);
    if (plain && base::is_utf8(out)) return true;
    if (!keep_.pay(out.size() * 3)) return false;
    out = keep_.add(decoded(out));
    return true;
  }

  // Bytes that are not UTF-8 and lone surrogates become U+FFFD.
  static std::string decoded(std::string_view text) {
    std::string out;
    const auto code_at = [text](std::size_t at) -> std::optional<std::uint32_t> {
      if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
      return static_cast<std::uint32_t>(std::stoul(std::string(text.substr(at + 2, 4)), nullptr, 16));
    };
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] != '\\') {
        std::size_t length = 0;
        base::append_utf8(out, base::decode_utf8(text.substr(i), length));
        i += length;
        continue;
      }
      const auto code = code_at(i);
      if (!code) {
        constexpr std::string_view kNames = "bfnrt\"\\/";
        constexpr std::string_view kBytes = "\b\f\n\r\t\"\\/";
        out += kBytes[kNames.find(text[i + 1])];
        i += 2;
        continue;
      }
      i += 6;
      const auto low = *code >= 0xd800 && *code < 0xdc00 ? code_at(i) : std::nullopt;
      if (low && *low >= 0xdc00 && *low < 0xe000) {
        base::append_utf8(out, static_cast<char32_t>(0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00)));
        i += 6;
      } else {
        base::append_utf8(out, static_cast<char32_t>(*code));
      }
    }
    return out;
  }

  bool array(Value& out, int depth) {
    auto list = std::make_shared<Value::List>();
    ++position_;
    skip_space();
    while (!skip(']')) {
      if (!list->empty() && !skip(',')) return false;
      if (!keep_.pay(sizeof(Value))) return false;
      Value element;
      if (!value(element, depth + 1)) return false;
      list->push_back(std::move(element));
      skip_space();
    }
    out.kind = Value::Kind::list;
    out.list = std::move(list);
    return true;
  }

  bool object(Value& out, int depth) {
    auto map = std::make_shared<Value::Map>();
    ++position_;
    skip_space();
    while (!skip('}')) {
      if (!map->empty() && !skip(',')) return false;
      skip_space();
      std::string_view name;
      if (peek() != '"' || !string(name)) return false;
      skip_space();
      if (!skip(':') || !keep_.pay(sizeof(Value::Map::value_type) + name.size())) return false;
      Value element;
      if (!value(element, depth + 1)) return false;
      map->emplace_back(std::string(name), std::move(element));
      skip_space();
    }
    // When a name is repeated, the last one counts.
    std::stable_sort(map->begin(), map->end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto kept = std::unique(map->rbegin(), map->rend(), [](const auto& a, const auto& b) { return a.first == b.first; });
    map->erase(map->begin(), kept.base());
    out.kind = Value::Kind::map;
    out.map = std::move(map);
    return true;
  }

  std::string_view text_;
  StringPool& keep_;
  std::size_t position_ = 0;
};

}  // namespace

Value value_from_json(std::string_view text, StringPool& keep) {
  Value out;
  return Reader(text, keep).whole(out) ? out : Value::nothing();
}

}  // namespace weir::gotemplate
