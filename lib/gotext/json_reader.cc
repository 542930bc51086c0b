#include "gotext/json_reader.h"

#include "base/byte_search.h"
#include "base/hex.h"
#include "base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weir::gotext {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

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
      if (unit > 0xdbff || text.substr(i, 2) != "\\u" || !hex4(text.substr(i + 2), low) || low < 0xdc00 || low > 0xdfff) {
        if (!logfmt) return std::nullopt;
        character = base::kReplacement;  // and what follows is read on its own
      } else {
        character = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
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

base::Result<JsonPath> JsonPath::compile(std::string_view text) {
  // field { "." field | "[" ( string | index ) "]" }, where the first step may be in brackets too.
  JsonPath path;
  std::size_t i = 0;
  std::string why;
  auto skip = [&] {
    while (i < text.size() && is_space(text[i])) ++i;
  };
  auto token = [&]() -> std::string {
    skip();
    if (i >= text.size()) return "$end";
    if (text[i] == '.') return "DOT";
    if (text[i] == '[') return "LSB";
    if (text[i] == ']') return "RSB";
    if (text[i] == '"') return "STRING";
    if (is_digit(text[i])) return "INDEX";
    return is_letter_byte(text[i]) ? "FIELD" : "";
  };
  auto complain = [&](std::string_view expecting) {
    const std::string found = token();
    why = found.empty()
              ? fmt::format("unexpected char {}", text.substr(i, std::max<std::size_t>(base::utf8_length(text.substr(i)), 1)))
              : fmt::format("syntax error: unexpected {}{}{}", found, expecting.empty() ? "" : ", expecting ", expecting);
    return false;
  };
  auto field = [&](std::string_view expecting) {
    if (token() != "FIELD") return complain(expecting);
    const std::size_t begin = i;
    while (i < text.size() && (is_letter_byte(text[i]) || is_digit(text[i]))) ++i;
    path.steps_.push_back({std::string(text.substr(begin, i - begin)), 0, false});
    return true;
  };
  auto bracket = [&] {
    ++i;
    const std::string inside = token();
    const std::size_t begin = i;
    if (inside == "STRING") {
      const std::size_t end = text.find('"', i + 1);
      if (end == std::string_view::npos) return complain("");
      path.steps_.push_back({std::string(text.substr(i + 1, end - i - 1)), 0, false});
      i = end + 1;
      if (path.steps_.back().key.find(']') != std::string::npos) {
        i = begin + 1;
        return complain("RSB");
      }
    } else if (inside == "INDEX") {
      std::size_t index = 0;
      for (; i < text.size() && is_digit(text[i]); ++i)
        index = std::min<std::size_t>(index * 10 + static_cast<std::size_t>(text[i] - '0'), 1 << 24);
      path.steps_.push_back({{}, index, true});
    } else {
      return complain("STRING or INDEX");
    }
    if (token() != "RSB") return complain("RSB");
    ++i;
    return true;
  };
  bool ok = token() == "LSB" ? bracket() : field("LSB or FIELD");
  while (ok && token() != "$end") {
    if (token() == "LSB") {
      ok = bracket();
    } else if (token() == "DOT") {
      ++i;
      ok = field("FIELD");
    } else {
      ok = complain("");
    }
  }
  if (!ok) return base::fail(base::Code::parse, "cannot parse expression [{}]: {}", text, why);
  return path;
}

JsonPath::Outcome JsonPath::find(std::string_view line, JsonValue& out, std::string_view& error, Scratch& scratch) const {
  return steps_.empty() ? Outcome::missing : find_from(0, line, out, error, scratch);
}

JsonPath::Outcome JsonPath::find_from(std::size_t step, std::string_view text, JsonValue& out, std::string_view& error,
                                      Scratch& scratch) const {
  return steps_[step].is_index ? find_element(step, text, out, error, scratch) : find_member(step, text, out, error, scratch);
}

JsonPath::Outcome JsonPath::find_element(std::size_t step, std::string_view text, JsonValue& out, std::string_view& error,
                                         Scratch& scratch) const {
  // An array is an object without keys to this reader: its elements are values with commas between them.
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  if (begin == text.size() || text[begin] != '[') return Outcome::missing;
  std::string_view rest = text.substr(begin + 1);
  JsonValue value;
  for (std::size_t index = 0;; ++index) {
    JsonCursor element(rest);
    if (element.at_end() || rest[element.position()] == ']' || !element.value(value)) return Outcome::missing;
    if (index == steps_[step].index) break;
    std::size_t end = element.position();
    while (end < rest.size() && is_space(rest[end])) ++end;
    if (end >= rest.size() || rest[end] != ',') return Outcome::missing;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (step + 1 < steps_.size()) return find_from(step + 1, value.text, out, error, scratch);
  out = value;
  return Outcome::found;
}

JsonPath::Outcome JsonPath::find_member(std::size_t step, std::string_view text, JsonValue& out, std::string_view& error,
                                        Scratch& scratch) const {
  const bool last = step + 1 == steps_.size();
  JsonCursor cursor(text);
  if (!cursor.enter_object()) return Outcome::missing;
  while (true) {
    std::string_view key;
    bool escapes = false;
    bool done = false;
    if (!cursor.next_member(key, escapes, done) || done) return Outcome::missing;
    const auto decoded = json_unescape(key, escapes, scratch);
    const bool found = decoded && *decoded == steps_[step].key;
    if (found && !last) {
      // The value is searched as it stands, so that an object that is cut off gives what it still has. Where the rest of the path
      // is not in it, the key may come once more.
      std::string_view rest = text.substr(cursor.position());
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
      if (!rest.empty() && (rest.front() == '{' || rest.front() == '[')) {
        const Outcome outcome = find_from(step + 1, rest, out, error, scratch);
        if (outcome != Outcome::missing) return outcome;
      }
    }
    JsonValue value;
    if (!cursor.value(value)) {
      error = cursor.error();
      return found && last ? Outcome::broken : Outcome::missing;
    }
    if (found && last) {
      out = value;
      return Outcome::found;
    }
    if (!cursor.separator() && cursor.at_end()) return Outcome::missing;
  }
}

}  // namespace weir::gotext
