#include "gotext/json_reader.h"

#include "base/byte_search.h"
#include "base/hex.h"
#include "base/utf8.h"

#include <algorithm>
#include <cstring>

namespace weir::gotext {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool hex4(std::string_view text, std::uint32_t& out) {
  if (text.size() < 4) return false;
  out = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = base::hex_digit(text[i]);
    if (digit < 0) return false;
    out = out << 4 | static_cast<std::uint32_t>(digit);
  }
  return true;
}

// Behind the closing quote of the string whose inside begins at `from`; npos when there is none.
std::size_t string_end(std::string_view text, std::size_t from, bool& has_escapes) {
  std::size_t i = from;
  while (true) {
    i = base::find_quote_or_backslash(text, i);
    if (i >= text.size()) return std::string_view::npos;
    if (text[i] == '"') return i + 1;
    has_escapes = true;
    i += 2;
  }
}

}  // namespace

void JsonCursor::skip_space() {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
}

bool JsonCursor::at_end() {
  skip_space();
  return position_ >= text_.size();
}

bool JsonCursor::enter_object() {
  skip_space();
  if (position_ >= text_.size() || text_[position_] != '{') return fail(kJsonNoObject);
  ++position_;
  first_ = true;
  return true;
}

bool JsonCursor::next_member(std::string_view& key, bool& key_has_escapes, bool& done) {
  done = false;
  if (at_end()) return fail(first_ ? kJsonMalformed : kJsonNoArray);
  if (text_[position_] == '}') {
    ++position_;
    done = true;
    return true;
  }
  if (text_[position_] != '"') return fail(kJsonNoObject);
  first_ = false;
  key_has_escapes = false;
  if (!string(key, key_has_escapes)) return fail(kJsonMalformed);
  if (at_end() || text_[position_] != ':') return fail(kJsonMalformed);
  ++position_;
  return true;
}

bool JsonCursor::separator() {
  if (at_end()) return fail(kJsonNoArray);
  if (text_[position_] == '}') return true;
  if (text_[position_] != ',') return fail(kJsonNoObject);
  ++position_;
  return true;
}

bool JsonCursor::string(std::string_view& out, bool& has_escapes) {
  const std::size_t end = string_end(text_, position_ + 1, has_escapes);
  if (end == std::string_view::npos) return fail(kJsonNoString);
  out = text_.substr(position_ + 1, end - position_ - 2);
  position_ = end;
  return true;
}

// From an opening bracket to the one that closes it, brackets within strings not counted, those of the other kind ignored.
bool JsonCursor::block(char open, char close, std::string_view& out) {
  const std::size_t begin = position_;
  int depth = 0;
  for (std::size_t i = begin; i < text_.size(); ++i) {
    const char c = text_[i];
    if (c == '"') {
      bool escapes = false;
      const std::size_t end = string_end(text_, i + 1, escapes);
      if (end == std::string_view::npos) break;
      i = end - 1;
    } else if (c == open) {
      ++depth;
    } else if (c == close && --depth == 0) {
      out = text_.substr(begin, i + 1 - begin);
      position_ = i + 1;
      return true;
    }
  }
  return fail(open == '{' ? kJsonNoObject : kJsonNoArray);
}

bool JsonCursor::value(JsonValue& out) {
  using Type = JsonValue::Type;
  if (at_end()) return fail(kJsonMalformed);
  out.has_escapes = false;
  switch (text_[position_]) {
    case '"':
      out.type = Type::string;
      return string(out.text, out.has_escapes);
    case '{':
      out.type = Type::object;
      return block('{', '}', out.text);
    case '[':
      out.type = Type::array;
      return block('[', ']', out.text);
    default:
      break;
  }
  std::size_t end = position_;
  while (end < text_.size() && !is_space(text_[end]) && text_[end] != ',' && text_[end] != '}' && text_[end] != ']') ++end;
  out.text = text_.substr(position_, end - position_);
  if (out.text == "true" || out.text == "false") {
    out.type = Type::boolean;
  } else if (out.text == "null") {
    out.type = Type::null;
  } else if (!out.text.empty() && (is_digit(out.text.front()) || out.text.front() == '-')) {
    out.type = Type::number;
  } else {
    return fail(kJsonUnknownValue);
  }
  position_ = end;
  return true;
}

namespace {

std::optional<std::string_view> unescape(std::string_view text, bool logfmt, Scratch& scratch) {
  char* out = scratch.allocate(text.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t next = std::min(text.find('\\', i), text.size());
    std::memcpy(out + size, text.data() + i, next - i);
    size += next - i;
    i = next;
    if (i >= text.size()) break;
    if (i + 1 >= text.size()) return std::nullopt;
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    if (const std::size_t known = kNames.find(text[i + 1]); known != std::string_view::npos) {
      out[size++] = kBytes[known];
      i += 2;
      continue;
    }
    if (logfmt && text[i + 1] == '\'') {
      out[size++] = '\'';
      i += 2;
      continue;
    }
    std::uint32_t unit = 0;
    if (text[i + 1] != 'u' || !hex4(text.substr(i + 2), unit)) return std::nullopt;
    i += 6;
    char32_t character = unit;
    if (unit >= 0xd800 && unit <= 0xdfff) {
      std::uint32_t low = 0;
      const bool has_low = text.size() >= i + 6 && hex4(text.substr(i + 2), low) && low >= 0xdc00;
      if (!logfmt) {
        // Loki's reader does not look at the two bytes before the digits, nor at whether the halves go together.
        if (!has_low) return std::nullopt;
        character = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        if (character > 0x10ffff) character = base::kReplacement;
        i += 6;
      } else if (unit <= 0xdbff && has_low && low <= 0xdfff && text.substr(i, 2) == "\\u") {
        character = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      } else {
        character = base::kReplacement;  // and what follows is read on its own
      }
    }
    size = static_cast<std::size_t>(base::write_utf8(out + size, character) - out);
  }
  scratch.shrink(out, size);
  return std::string_view(out, size);
}

}  // namespace

std::optional<std::string_view> json_unescape(std::string_view text, bool has_escapes, Scratch& scratch) {
  return has_escapes ? unescape(text, false, scratch) : text;
}

std::optional<std::string_view> logfmt_unescape(std::string_view text, bool has_escapes, Scratch& scratch) {
  return has_escapes ? unescape(text, true, scratch) : text;
}

}  // namespace weir::gotext
