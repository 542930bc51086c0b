#include "cli/secret_words.h"

#include "base/percent.h"
#include "base/secrets.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace weir::cli {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_quote(char c) { return c == '\'' || c == '"'; }
bool is_name_byte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool has_any(std::string_view text, std::span<const std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

enum class Kind { none, value, header };

// What follows an option of this name. Misspelt ones are the ones that draw an error, so a part of the name is enough.
Kind kind_of(std::string_view option) {
  constexpr std::array<std::string_view, 5> secret = {"passw", "pasw", "token", "secret", "credential"};
  const std::string name = lower(option);
  if (!name.starts_with("-") || name.find("file") != std::string::npos) return Kind::none;
  if (name == "--header" || name == "-header") return Kind::header;
  return has_any(name, secret) ? Kind::value : Kind::none;
}

// The word that begins at `at`, quoted parts and all; a quote that is not closed goes to the end.
std::size_t end_of_word(std::string_view text, std::size_t at) {
  char quote = '\0';
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '\\' && at + 1 < text.size()) {
      ++at;
    } else if (is_quote(c)) {
      quote = c;
    } else if (is_blank(c) || c == '|') {
      break;
    }
  }
  return std::min(at, text.size());
}

// Behind the blanks, joined lines and closing quotes that may stand between an option and its value.
std::size_t begin_of_value(std::string_view text, std::size_t at) {
  if (at < text.size() && is_quote(text[at])) ++at;
  if (at < text.size() && text[at] == '=') return at + 1;
  while (at < text.size() && (is_blank(text[at]) || (text[at] == '\\' && at + 1 < text.size() && is_blank(text[at + 1])))) ++at;
  return at;
}

// A word without its quotes and backslashes.
std::string unquoted(std::string_view word) {
  std::string out;
  char quote = '\0';
  for (std::size_t at = 0; at < word.size(); ++at) {
    const char c = word[at];
    if (quote != '\0' ? c == quote : is_quote(c)) {
      quote = quote != '\0' ? '\0' : c;
    } else if (c == '\\' && quote != '\'' && at + 1 < word.size()) {
      out += word[++at];
    } else {
      out += c;
    }
  }
  return out;
}

bool is_variable(std::string_view value) {
  std::string plain = unquoted(value);
  if (plain.size() < 2 || plain[0] != '$') return false;
  std::string_view name = std::string_view(plain).substr(1);
  if (name.size() > 2 && name.front() == '{' && name.back() == '}') name = name.substr(1, name.size() - 2);
  return std::all_of(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

// The `user:password` of each URL: where the password begins and ends.
template <typename Each>
void each_url_password(std::string_view text, const Each& each) {
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    const std::size_t begin = at + 3;
    std::size_t end = begin;
    while (end < text.size() && !is_blank(text[end]) && !is_quote(text[end]) && static_cast<unsigned char>(text[end]) > ' ') ++end;
    const auto sign = text.substr(begin, end - begin).rfind('@');
    if (sign == std::string_view::npos) continue;
    const auto colon = text.substr(begin, sign).find(':');
    if (colon != std::string_view::npos && colon + 1 < sign) each(begin, begin + colon + 1, begin + sign);
  }
}

// The values of parameters such as ?token=….
template <typename Each>
void each_url_parameter(std::string_view text, const Each& each) {
  constexpr std::array<std::string_view, 6> secret = {"token", "key", "secret", "passw", "auth", "signature"};
  for (std::size_t at = text.find_first_of("?&"); at != std::string_view::npos; at = text.find_first_of("?&", at + 1)) {
    std::size_t equals = at + 1;
    while (equals < text.size() && (is_name_byte(text[equals]) || text[equals] == '.')) ++equals;
    if (equals >= text.size() || text[equals] != '=' || !has_any(lower(text.substr(at + 1, equals - at - 1)), secret)) continue;
    std::size_t end = equals + 1;
    while (end < text.size() && !is_blank(text[end]) && !is_quote(text[end]) && text[end] != '&' && text[end] != '#') ++end;
    if (end > equals + 1) each(equals + 1, end);
  }
}

TextSpan within_header(std::string_view text, TextSpan word) {
  const auto colon = text.substr(word.begin, word.end - word.begin).find(':');
  if (colon == std::string_view::npos) return word;  // a mistake, perhaps the value alone
  std::string name = unquoted(text.substr(word.begin, colon));
  while (!name.empty() && is_quote(name.front())) name.erase(0, 1);
  if (!is_secret_header(name)) return {};
  TextSpan value{word.begin + colon + 1, word.end};
  while (value.begin < value.end && is_blank(text[value.begin])) ++value.begin;
  while (value.end > value.begin && is_quote(text[value.end - 1])) --value.end;
  return value;
}

}  // namespace

bool is_secret_header(std::string_view name) {
  constexpr std::array<std::string_view, 9> secret = {"auth",  "cookie",     "token",   "key",      "secret",
                                                      "passw", "credential", "session", "signature"};
  return has_any(lower(name), secret);
}

std::vector<TextSpan> secret_spans(std::string_view text) {
  std::vector<TextSpan> spans;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '-' || (at > 0 && !is_blank(text[at - 1]) && !is_quote(text[at - 1]))) continue;
    std::size_t end = at;
    while (end < text.size() && is_name_byte(text[end])) ++end;
    const Kind kind = kind_of(text.substr(at, end - at));
    const std::size_t begin = begin_of_value(text, end);
    if (kind == Kind::none || begin == end || begin >= text.size() || text[begin] == '|') continue;
    TextSpan span{begin, end_of_word(text, begin)};
    if (kind == Kind::header) span = within_header(text, span);
    if (span.begin < span.end && !is_variable(text.substr(span.begin, span.end - span.begin))) spans.push_back(span);
  }
  each_url_password(text, [&](std::size_t, std::size_t begin, std::size_t end) {
    if (!is_variable(text.substr(begin, end - begin))) spans.push_back({begin, end});
  });
  each_url_parameter(text, [&](std::size_t begin, std::size_t end) {
    if (!is_variable(text.substr(begin, end - begin))) spans.push_back({begin, end});
  });
  std::sort(spans.begin(), spans.end(), [](const TextSpan& a, const TextSpan& b) { return a.begin < b.begin; });
  std::vector<TextSpan> apart;
  for (const TextSpan& span : spans) {
    if (!apart.empty() && span.begin < apart.back().end) {
      apart.back().end = std::max(apart.back().end, span.end);
    } else {
      apart.push_back(span);
    }
  }
  return apart;
}

void note_header(std::string_view value, base::Secrets& secrets) {
  secrets.add(value);
  const auto blank = value.find(' ');
  if (blank == std::string_view::npos) return;
  const auto rest = value.substr(value.find_last_of(' ') + 1);
  secrets.add(rest);
}

void note_url(std::string_view url, base::Secrets& secrets) {
  each_url_password(url, [&](std::size_t user, std::size_t begin, std::size_t end) {
    const auto password = url.substr(begin, end - begin);
    secrets.add(password);
    secrets.add_login(base::percent_decode(url.substr(user, begin - 1 - user)), base::percent_decode(password));
  });
  each_url_parameter(url, [&](std::size_t begin, std::size_t end) {
    secrets.add(url.substr(begin, end - begin));
    secrets.add(base::percent_decode(url.substr(begin, end - begin)));
  });
}

void note_secrets(std::span<const std::string> words, base::Secrets& secrets) {
  const auto note = [&](Kind kind, std::string_view value) {
    if (is_variable(value)) return;
    if (kind == Kind::value) secrets.add(value);
    if (kind != Kind::header) return;
    const auto colon = value.find(':');
    if (colon != std::string_view::npos && !is_secret_header(value.substr(0, colon))) return;
    auto rest = colon == std::string_view::npos ? value : value.substr(colon + 1);
    while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
    note_header(rest, secrets);
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.find("://") != std::string::npos) note_url(word, secrets);
    if (word.find_first_of(" \t\n") != std::string::npos) {  // perhaps the text of a pipeline
      for (const TextSpan& span : secret_spans(word)) {
        const auto part = std::string_view(word).substr(span.begin, span.end - span.begin);
        secrets.add(part);
        note_header(unquoted(part), secrets);
      }
    }
    const auto equals = word.find('=');
    const Kind kind = kind_of(std::string_view(word).substr(0, equals));
    if (equals != std::string::npos) {
      note(kind, std::string_view(word).substr(equals + 1));
    } else if (i + 1 < words.size()) {
      note(kind, words[i + 1]);
    }
  }
}

}  // namespace weir::cli
