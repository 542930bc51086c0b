#include "cli/selection_options.h"

#include "logql/parser.h"
#include "logql/printer.h"
#include "logql/rewrite.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

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

void add_matcher(std::vector<logql::MatcherExpr>& out, const char* label, const std::vector<std::string>& patterns, bool workload) {
  if (patterns.empty()) return;
  if (patterns.size() == 1 && !workload && !tail::is_glob(patterns[0])) {
    out.push_back({label, logql::MatchOp::equal, patterns[0]});
    return;
  }
  std::string regex;
  for (const std::string& pattern : patterns) {
    if (!regex.empty()) regex += '|';
    regex += regex_of(pattern);
    if (workload && !tail::is_glob(pattern)) regex += "(-.*)?";
  }
  out.push_back({label, logql::MatchOp::regex, std::move(regex)});
}

}  // namespace

std::vector<logql::MatcherExpr> matchers(const tail::Selection& selection) {
  std::vector<logql::MatcherExpr> out;
  add_matcher(out, "namespace", selection.namespaces, false);
  add_matcher(out, "pod", selection.pods, true);
  add_matcher(out, "container", selection.containers, false);
  return out;
}

base::Result<std::string> narrow(const tail::Selection& selection, std::string_view logql) {
  const std::vector<logql::MatcherExpr> wanted = matchers(selection);
  if (wanted.empty()) return std::string(logql);
  auto expr = logql::parse(logql, {.selector_optional = true, .selector_must_match = false});
  if (!expr) return std::move(expr).error();
  logql::narrow(*expr, wanted);
  return logql::print(*expr);
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
