#include "base/byte_search.h"
#include "base/utf8.h"
#include "gotemplate/functions.h"
#include "gotemplate/literal.h"
#include "gotext/regex.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace weir::gotemplate {
namespace {

// ---- text

Value lower(FunctionCall& call) { return call.result(gotext::to_lower(call.text(0))); }
Value upper(FunctionCall& call) { return call.result(gotext::to_upper(call.text(0))); }

// Title case. Some characters have another one than upper case.
void title_case(char32_t c, std::string_view character, std::string& out) {
  constexpr std::u32string_view kDigraphs = U"\u01c4\u01c5\u01c6\u01c7\u01c8\u01c9\u01ca\u01cb\u01cc\u01f1\u01f2\u01f3";
  const bool georgian = c >= 0x10d0 && c <= 0x10ff;  // has capitals for whole words only
  if (const std::size_t digraph = kDigraphs.find(c); digraph != std::u32string_view::npos)
    base::append_utf8(out, kDigraphs[digraph / 3 * 3 + 1]);
  else
    out += georgian ? std::string(character) : gotext::to_upper(character);
}
bool separates(char32_t c, std::string_view character) {
  if (c < 0x80) return !(c == '_' || std::isalnum(static_cast<int>(c)) != 0);
  if (gotext::is_letter(character) || gotext::is_decimal_digit(character)) return false;
  return gotext::trim_space(character).empty();
}
Value title(FunctionCall& call) {
  std::string out;
  bool first = true;
  const std::string_view text = call.text(0);
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    const char32_t c = base::decode_utf8(text.substr(i), length);
    std::string character;
    base::append_utf8(character, c);
    if (first)
      title_case(c, character, out);
    else
      out += character;
    first = separates(c, character);
    i += length;
  }
  return call.result(std::move(out));
}

// The number of places where replace_text() inserts `fresh`.
std::size_t count_places(std::string_view text, std::string_view old, std::int64_t times) {
  std::size_t count = 0;
  if (old.empty()) {
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
    // Each byte that is not UTF-8 counts as a character, so the number of bytes is the upper bound.
    count = (base::is_utf8(text) ? count : text.size()) + 1;
    return times < 0 ? count : std::min(count, static_cast<std::size_t>(times));
  }
  for (std::size_t from = 0; times != 0; --times, ++count) {
    const std::size_t at = base::find_bytes(text.substr(from), old);
    if (at == std::string_view::npos) break;
    from += at + old.size();
  }
  return count;
}

// Whether the result fits into `room`. A replacement that is not longer than the original makes nothing grow.
bool replacing_fits(std::string_view text, std::string_view old, std::string_view fresh, std::int64_t times, std::size_t room) {
  if (fresh.size() <= old.size()) return text.size() <= room;
  const std::size_t growth = fresh.size() - old.size();
  return text.size() <= room && count_places(text, old, times) <= (room - text.size()) / growth;
}

std::string replace_text(std::string_view text, std::string_view old, std::string_view fresh, std::int64_t times) {
  std::string out;
  std::size_t from = 0;
  for (; times != 0; --times) {
    if (old.empty()) {
      if (from > text.size()) break;
      out += fresh;
      if (from == text.size()) return out;
      const std::size_t length = std::max<std::size_t>(base::utf8_length(text.substr(from)), 1);
      out += text.substr(from, length);
      from += length;
      continue;
    }
    const std::size_t at = base::find_bytes(text.substr(from), old);
    if (at == std::string_view::npos) break;
    out += text.substr(from, at);
    out += fresh;
    from += at + old.size();
  }
  out += text.substr(std::min(from, text.size()));
  return out;
}

Value replaced(FunctionCall& call, std::string_view text, std::string_view old, std::string_view fresh, std::int64_t times) {
  if (!replacing_fits(text, old, fresh, times, call.room())) return call.too_long();
  return call.result(replace_text(text, old, fresh, times));
}
Value replace(FunctionCall& call) { return replaced(call, call.text(2), call.text(0), call.text(1), -1); }
Value go_replace(FunctionCall& call) { return replaced(call, call.text(0), call.text(1), call.text(2), call.integer(3)); }

// The set of characters to trim. It may come from a log line and may be as large.
class CharacterSet {
 public:
  explicit CharacterSet(std::string_view set) : set_(set) {
    for (const char c : set) bytes_[static_cast<unsigned char>(c)] = true;
    if (set.size() <= kFew) return;
    for (std::size_t i = 0; i < set.size();) {
      const std::size_t length = std::max<std::size_t>(base::utf8_length(set.substr(i)), 1);
      if (length > 1) long_ones_.insert(set.substr(i, length));
      i += length;
    }
  }
  [[nodiscard]] bool contains(std::string_view character) const {
    if (character.size() == 1) return bytes_[static_cast<unsigned char>(character[0])];
    return set_.size() <= kFew ? set_.find(character) != std::string_view::npos : long_ones_.contains(character);
  }

 private:
  static constexpr std::size_t kFew = 64;
  std::string_view set_;
  std::array<bool, 256> bytes_{};
  std::set<std::string_view> long_ones_;
};

std::string_view trim_left(std::string_view text, std::string_view set) {
  const CharacterSet characters(set);
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(base::utf8_length(text), 1);
    if (!characters.contains(text.substr(0, length))) break;
    text.remove_prefix(length);
  }
  return text;
}
std::string_view trim_right(std::string_view text, std::string_view set) {
  const CharacterSet characters(set);
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    if (!characters.contains(text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return text;
}
std::string_view without_prefix(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}
std::string_view without_suffix(std::string_view text, std::string_view suffix) {
  return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

Value trim(FunctionCall& call) { return Value::of(gotext::trim_space(call.text(0))); }
Value trim_all(FunctionCall& call) { return Value::of(trim_right(trim_left(call.text(1), call.text(0)), call.text(0))); }
Value trim_prefix(FunctionCall& call) { return Value::of(without_prefix(call.text(1), call.text(0))); }
Value trim_suffix(FunctionCall& call) { return Value::of(without_suffix(call.text(1), call.text(0))); }
Value go_trim(FunctionCall& call) { return Value::of(trim_right(trim_left(call.text(0), call.text(1)), call.text(1))); }
Value go_trim_left(FunctionCall& call) { return Value::of(trim_left(call.text(0), call.text(1))); }
Value go_trim_right(FunctionCall& call) { return Value::of(trim_right(call.text(0), call.text(1))); }
Value go_trim_prefix(FunctionCall& call) { return Value::of(without_prefix(call.text(0), call.text(1))); }
Value go_trim_suffix(FunctionCall& call) { return Value::of(without_suffix(call.text(0), call.text(1))); }

Value trunc(FunctionCall& call) {
  const std::int64_t count = call.integer(0);
  const std::string_view text = call.text(1);
  const auto size = static_cast<std::int64_t>(text.size());
  if (count < 0 && size + count > 0) return Value::of(text.substr(static_cast<std::size_t>(size + count)));
  if (count >= 0 && size > count) return Value::of(text.substr(0, static_cast<std::size_t>(count)));
  return Value::of(text);
}

Value substr(FunctionCall& call) {
  std::int64_t begin = call.integer(0);
  std::int64_t end = call.integer(1);
  const std::string_view text = call.text(2);
  const auto size = static_cast<std::int64_t>(text.size());
  if (begin < 0) {
    begin = 0;
  } else if (end < 0 || end > size) {
    end = size;
  }
  if (end < 0 || end > size)
    return call.fail(fmt::format("runtime error: slice bounds out of range [:{}] with length {}", end, size));
  if (begin > end) return call.fail(fmt::format("runtime error: slice bounds out of range [{}:{}]", begin, end));
  return Value::of(text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
}

Value contains(FunctionCall& call) { return Value::of(base::contains_bytes(call.text(1), call.text(0))); }
Value has_prefix(FunctionCall& call) { return Value::of(call.text(1).starts_with(call.text(0))); }
Value has_suffix(FunctionCall& call) { return Value::of(call.text(1).ends_with(call.text(0))); }

// Deeper indents are cut.
constexpr std::int64_t kMaxIndent = 10'000;

Value indented(FunctionCall& call, std::string before) {
  if (call.integer(0) < 0) return call.fail("strings: negative Repeat count");
  const std::string blanks(static_cast<std::size_t>(std::min<std::int64_t>(call.integer(0), kMaxIndent)), ' ');
  const std::string_view text = call.text(1);
  const std::string line = "\n" + blanks;
  if (!replacing_fits(text, "\n", line, -1, call.room())) return call.too_long();
  return call.result((before += blanks) += replace_text(text, "\n", line, -1));
}
Value indent(FunctionCall& call) { return indented(call, ""); }
Value nindent(FunctionCall& call) { return indented(call, "\n"); }

Value repeat(FunctionCall& call) {
  const std::int64_t times = call.integer(0);
  const std::string_view text = call.text(1);
  if (times < 0) return call.fail("strings: negative Repeat count");
  if (text.empty()) return Value::of(text);
  if (static_cast<std::uint64_t>(times) > call.room() / text.size()) return call.too_long();
  std::string out;
  for (std::int64_t i = 0; i < times; ++i) out += text;
  return call.result(std::move(out));
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = std::max<std::size_t>(base::utf8_length(text.substr(i)), 1);
    out.push_back(text.substr(i, length));
    i += length;
  }
  return out;
}

Value align(FunctionCall& call, bool left) {
  const std::int64_t count = call.integer(0);
  const std::string_view text = call.text(1);
  if (count < 0) return Value::of(text);
  const std::vector<std::string_view> all = characters(text);
  const auto size = static_cast<std::int64_t>(all.size());
  std::string out;
  if (size < count) {
    if (static_cast<std::uint64_t>(count - size) > call.room()) return call.too_long();
    const std::string blanks(static_cast<std::size_t>(count - size), ' ');
    return call.result(left ? std::string(text) + blanks : blanks + std::string(text));
  }
  for (std::int64_t i = 0; i < count; ++i) out += all[static_cast<std::size_t>(left ? i : size - count + i)];
  return call.result(std::move(out));
}
Value align_left(FunctionCall& call) { return align(call, true); }
Value align_right(FunctionCall& call) { return align(call, false); }

// ---- regular expressions

// Calls `visit` for every match until it returns false. An empty match directly after another match does not count.
template <typename Visit>
void each_match(const gotext::Regex& regex, std::string_view text, Visit visit) {
  std::vector<std::string_view> groups;
  std::size_t last_end = std::string_view::npos;
  const gotext::Regex::Subject subject(text);
  for (std::size_t from = 0; from <= text.size() && regex.find(subject, from, groups);) {
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = begin + groups[0].size();
    if (groups[0].empty() && begin < text.size() && subject.is_utf8() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) {
      from = begin + 1;  // RE2 finds \B within a character; Go looks between characters only
      continue;
    }
    if (!(groups[0].empty() && begin == last_end) && !visit(begin, end, groups)) return;
    last_end = end;
    from = groups[0].empty() ? end + std::max<std::size_t>(base::utf8_length(text.substr(std::min(end, text.size()))), 1) : end;
  }
}

Value regex_replace(FunctionCall& call, bool literal) {
  auto regex = gotext::Regex::compile(call.text(0));
  const std::string_view text = call.text(1);
  const std::string_view fresh = call.text(2);
  if (!regex) return call.fail(regex.error().message);
  std::string out;
  std::size_t from = 0;
  each_match(*regex, text, [&](std::size_t begin, std::size_t end, const std::vector<std::string_view>& groups) {
    out += text.substr(from, begin - from);
    if (literal) {
      out += fresh;
    } else {
      regex->expand(fresh, groups, call.room(), out);
    }
    from = end;
    return out.size() <= call.room();
  });
  if (out.size() > call.room()) return call.too_long();
  out += text.substr(from);
  return call.result(std::move(out));
}
Value regex_replace_all(FunctionCall& call) { return regex_replace(call, false); }
Value regex_replace_literal(FunctionCall& call) { return regex_replace(call, true); }

Value count(FunctionCall& call) {
  auto regex = gotext::Regex::compile(call.text(0));
  if (!regex) return call.fail(regex.error().message);
  std::int64_t matches = 0;
  each_match(*regex, call.text(1), [&](std::size_t, std::size_t, const std::vector<std::string_view>&) {
    ++matches;
    return true;
  });
  return Value::of(matches);
}

constexpr std::array<Function, 30> kTable = {{
    {"lower", "s", lower},
    {"upper", "s", upper},
    {"ToLower", "s", lower},
    {"ToUpper", "s", upper},
    {"title", "s", title},
    {"replace", "sss", replace},
    {"Replace", "sssi", go_replace},
    {"trim", "s", trim},
    {"trimAll", "ss", trim_all},
    {"trimPrefix", "ss", trim_prefix},
    {"trimSuffix", "ss", trim_suffix},
    {"Trim", "ss", go_trim},
    {"TrimLeft", "ss", go_trim_left},
    {"TrimRight", "ss", go_trim_right},
    {"TrimPrefix", "ss", go_trim_prefix},
    {"TrimSuffix", "ss", go_trim_suffix},
    {"TrimSpace", "s", trim},
    {"trunc", "is", trunc},
    {"substr", "iis", substr},
    {"contains", "ss", contains},
    {"hasPrefix", "ss", has_prefix},
    {"hasSuffix", "ss", has_suffix},
    {"indent", "is", indent},
    {"nindent", "is", nindent},
    {"repeat", "is", repeat},
    {"alignLeft", "is", align_left},
    {"alignRight", "is", align_right},
    {"regexReplaceAll", "sss", regex_replace_all},
    {"regexReplaceAllLiteral", "sss", regex_replace_literal},
    {"count", "ss", count},
}};

}  // namespace

std::span<const Function> text_functions() { return kTable; }

}  // namespace weir::gotemplate
