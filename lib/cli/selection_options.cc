#include "cli/selection_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

namespace weir::cli {
namespace {

void append_literal(std::string& regex, char c) {
  if (std::string_view(R"(\.+*?()|[]{}^$)").find(c) != std::string_view::npos) regex += '\\';
  regex += c;
}

// The glob as a regular expression of RE2 that is matched against the whole value.
std::string regex_of(std::string_view glob) {
  std::string regex;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    const char c = glob[i];
    if (c == '*') {
      regex += ".*";
    } else if (c == '?') {
      regex += '.';
    } else if (c == '\\' && i + 1 < glob.size()) {
      append_literal(regex, glob[++i]);
    } else if (const std::size_t close =
                   glob.find(']', i + (glob.substr(i).starts_with("[!") || glob.substr(i).starts_with("[^") ? 3 : 2));
               c == '[' && close != std::string_view::npos) {
      regex += '[';
      ++i;
      if (glob[i] == '!' || glob[i] == '^') regex += '^', ++i;
      for (; i < close; ++i) {
        if (std::string_view("\\[]^&~").find(glob[i]) != std::string_view::npos) regex += '\\';
        regex += glob[i];
      }
      regex += ']';
    } else {
      append_literal(regex, c);
    }
  }
  return regex;
}

std::string string_literal(const std::string& text) {
  if (text.find('\\') != std::string::npos && text.find('`') == std::string::npos) return "`" + text + "`";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void append_matcher(std::string& out, std::string_view label, const std::vector<std::string>& patterns, bool workload) {
  if (patterns.empty()) return;
  if (!out.empty()) out += ',';
  if (patterns.size() == 1 && !workload && !tail::is_glob(patterns[0])) {
    out += fmt::format("{}={}", label, string_literal(patterns[0]));
    return;
  }
  std::string regex;
  for (const std::string& pattern : patterns) {
    if (!regex.empty()) regex += '|';
    regex += regex_of(pattern);
    if (workload && !tail::is_glob(pattern)) regex += "(-.*)?";
  }
  out += fmt::format("{}=~{}", label, string_literal(regex));
}

// The end of the string or comment that begins at `at`, `at` where none does.
std::size_t skip_opaque(std::string_view text, std::size_t at) {
  const auto past = [&](std::string_view end, std::size_t from) {
    const std::size_t found = text.find(end, from);
    return found == std::string_view::npos ? text.size() : found + end.size();
  };
  const std::string_view rest = text.substr(at);
  if (rest.starts_with('#') || rest.starts_with("//")) return past("\n", at);
  if (rest.starts_with("/*")) return past("*/", at + 2);
  if (rest.starts_with('`')) return past("`", at + 1);
  if (!rest.starts_with('"')) return at;
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

}  // namespace

std::string matchers(const tail::Selection& selection) {
  std::string out;
  append_matcher(out, "namespace", selection.namespaces, false);
  append_matcher(out, "pod", selection.pods, true);
  append_matcher(out, "container", selection.containers, false);
  return out;
}

std::string narrow(const tail::Selection& selection, std::string_view logql) {
  const std::string wanted = matchers(selection);
  if (wanted.empty()) return std::string(logql);
  std::string out;
  bool narrowed = false;
  char first = 0;  // outside of comments
  for (std::size_t at = 0; at < logql.size();) {
    if (const std::size_t end = skip_opaque(logql, at); end > at) {
      out += logql.substr(at, end - at);
      at = end;
      continue;
    }
    const char c = logql[at++];
    if (first == 0 && c != ' ' && c != '\t' && c != '\n' && c != '\r') first = c;
    out += c;
    if (c != '{') continue;
    const std::size_t next = logql.find_first_not_of(" \t\r\n", at);
    out += wanted;
    if (next != std::string_view::npos && logql[next] != '}') out += ',';
    narrowed = true;
  }
  if (narrowed || (first != 0 && first != '|' && first != '!')) return out;
  return fmt::format("{{{}}}{}{}", wanted, out.empty() ? "" : " ", out);
}

void declare_selection(CLI::App& app, tail::Selection& selection) {
  const auto add = [&](const char* names, std::vector<std::string>& values, const char* what) {
    app.add_option(names, values, what)->type_name("PATTERN");
  };
  add("-n,--namespace", selection.namespaces, "only records of these namespaces (repeatable)");
  add("-p,--pod", selection.pods, "only records of these pods; `web` also means web-… (repeatable)");
  add("-c,--container", selection.containers, "only records of these containers (repeatable)");
}

}  // namespace weir::cli
