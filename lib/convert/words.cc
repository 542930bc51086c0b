#include "convert/words.h"

#include "base/diagnostics.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "names/label_name.h"

#include <algorithm>
#include <cctype>

namespace weir::convert {
namespace {

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_./:=,@%+-").find(c) != std::string_view::npos;
}

// A variable in the form that weir knows.
bool is_known(const VariableUse& use) { return !use.strange && !use.has_fallback; }

}  // namespace

std::string pipeline_word(std::string_view text, bool variables) {
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
  const auto uses = variables ? variables_of(text) : std::vector<VariableUse>();
  if (std::ranges::none_of(uses, is_known)) {
    std::string out = "'";
    for (const char c : text) {
      if (c == '\'') {
        out += "'\\''";
      } else {
        out += c;
      }
    }
    return out + "'";
  }
  std::string out = "\"";
  std::size_t at = 0;
  for (auto use = uses.begin(); at < text.size();) {
    while (use != uses.end() && (use->begin < at || !is_known(*use))) ++use;
    if (use != uses.end() && use->begin == at) {
      out.append("${").append(use->name).append("}");
      at += use->size;
      continue;
    }
    if (std::string_view("\"\\$`").find(text[at]) != std::string_view::npos) out += '\\';
    out += text[at++];
  }
  return out + "\"";
}

std::string logql_string(std::string_view text) {
  const bool raw = std::ranges::none_of(text, [](char c) { return c == '`' || static_cast<unsigned char>(c) < 0x20; });
  if (raw) return "`" + std::string(text) + "`";
  return base::quoted(text);
}

std::string comment_text(std::string_view text) {
  std::string out = base::escape_control(text);
  std::ranges::replace(out, '\n', ' ');
  return out;
}

std::vector<VariableUse> variables_of(std::string_view text) {
  std::vector<VariableUse> uses;
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 2)) {
    std::size_t end = at + 2;
    VariableUse use;
    use.begin = at;
    if (end < text.size() && text[end] == '#') {
      use.strange = true;
      ++end;
    }
    const std::size_t name = end;
    while (end < text.size() && names::is_name_byte(text[end])) ++end;
    use.name = text.substr(name, end - name);
    const std::size_t close = text.find('}', end);
    if (close == std::string_view::npos || use.name.empty() || (use.name[0] >= '0' && use.name[0] <= '9')) continue;
    const std::string_view behind = text.substr(end, close - end);
    use.size = close + 1 - at;
    if (!behind.empty()) {
      std::size_t skip = 0;
      for (const std::string_view mark : {":-", ":=", "-", "=", ":"}) {
        if (behind.starts_with(mark)) {
          skip = mark.size();
          break;
        }
      }
      use.has_fallback = skip > 0;
      use.strange |= skip == 0;
      use.fallback = behind.substr(skip);
    }
    uses.push_back(std::move(use));
  }
  return uses;
}

std::string file_word(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.') {
      out += c;
    } else if (!out.ends_with('-')) {
      out += '-';
    }
  }
  while (out.starts_with('-') || out.starts_with('.')) out.erase(0, 1);
  while (out.ends_with('-')) out.pop_back();
  if (out.size() > 60) out.resize(60);
  return out.empty() ? "job" : out;
}

}  // namespace weir::convert
