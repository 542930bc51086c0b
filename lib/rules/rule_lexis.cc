#include "rules/rule_lexis.h"

#include "base/utf8.h"
#include "logql/advice.h"
#include "record/timestamp.h"

#include <algorithm>

namespace weir::rules {
namespace {

using base::Timestamp;

constexpr std::size_t kMostWord = 60;  // of a text of others in a message

// A character that looks like a blank and is none: U+00A0, U+2000 to U+200B, U+202F, U+3000, U+FEFF.
bool is_false_blank(std::string_view text) {
  std::size_t length = 0;
  if (text.empty() || static_cast<unsigned char>(text.front()) < 0x80) return false;
  const char32_t c = base::decode_utf8(text, length);
  return c == 0xa0 || (c >= 0x2000 && c <= 0x200b) || c == 0x202f || c == 0x3000 || c == 0xfeff;
}

// The first place outside of quoted texts where `is_it` holds for what begins there; the size of the line when there is none.
template <typename Predicate>
std::size_t first_unquoted(std::string_view line, Predicate is_it) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::string_view rest = line.substr(i);
    if (is_it(rest)) return i;
    if (rest.front() == '"' || rest.front() == '`') {
      const std::size_t length = quoted_length(rest);
      if (length == std::string_view::npos) return line.size();
      i += length - 1;
    } else if (rest.front() == '\'' && rest.size() > 2) {
      // One character in single quotes is a word of LogQL.
      const std::size_t length = std::max<std::size_t>(base::utf8_length(rest.substr(1)), 1);
      if (rest.size() > 1 + length && rest[1 + length] == '\'') i += 1 + length;
    }
  }
  return line.size();
}

}  // namespace

bool is_typographic_quote(std::string_view text) {
  static constexpr std::string_view kMarks = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb";
  const std::size_t length = text.empty() ? 0 : base::utf8_length(text);
  return length > 1 && kMarks.find(text.substr(0, length)) != std::string_view::npos;
}

std::size_t first_invalid(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = static_cast<unsigned char>(text[i]) < 0x80 ? 1 : base::utf8_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return text.size();
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

std::string_view leading_letters(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (is_letter(text[end]) || text[end] == '_')) ++end;
  return text.substr(0, end);
}

std::string_view leading_word(std::string_view text, std::string_view stops) {
  return text.substr(0, std::min(text.find_first_of(stops), text.size()));
}

std::size_t quoted_length(std::string_view text) {
  const char mark = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (mark == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == mark) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// LogQL's lexer sees its comments in the same places.
std::size_t first_comment(std::string_view line) {
  return first_unquoted(
      line, [](std::string_view rest) { return rest.front() == '#' || rest.starts_with("//") || rest.starts_with("/*"); });
}

std::size_t first_false_blank(std::string_view line) { return first_unquoted(line, is_false_blank); }

std::string shown(std::string_view text) { return logql::clip(text, kMostWord); }

Timestamp whole_seconds(Timestamp time) { return time - time % base::kSecond; }

std::string proposed_beginning(std::optional<Timestamp> now) {
  return now ? record::to_rfc3339(whole_seconds(*now)) : "2026-01-31T10:00:00Z";
}

}  // namespace weir::rules
