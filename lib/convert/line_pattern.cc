#include "convert/line_pattern.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace weir::convert {
namespace {

constexpr std::size_t kMostGroups = 9;

// A parenthesis of a regular expression with what is between it and its end.
struct Group {
  std::size_t open = 0;     // of the parenthesis
  std::size_t inner = 0;    // where its content begins
  std::size_t close = 0;    // of the closing one
  std::size_t parents = 0;  // how many groups of any kind it stands in
  bool captures = false;
  std::string_view name;  // "" for none
};

struct Shape {
  std::vector<Group> groups;  // in the order of their opening parentheses
  bool alternatives = false;  // a | outside of all groups
  bool flags = false;         // (?i) and the like for the rest of the expression
};

// Nothing: an expression that RE2 would not accept.
std::optional<Shape> shape_of(std::string_view regex) {
  Shape shape;
  std::vector<std::size_t> stack;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\') {
      if (i + 1 < regex.size() && regex[i + 1] == 'Q') {
        const std::size_t end = regex.find("\\E", i + 2);
        i = end == std::string_view::npos ? regex.size() : end + 1;
      } else {
        ++i;
      }
    } else if (c == '[') {
      ++i;
      if (i < regex.size() && regex[i] == '^') ++i;
      if (i < regex.size() && regex[i] == ']') ++i;
      while (i < regex.size() && regex[i] != ']') {
        if (regex[i] == '\\') {
          i += 2;
        } else if (regex.substr(i).starts_with("[:")) {
          const std::size_t end = regex.find(":]", i + 2);
          i = end == std::string_view::npos ? i + 1 : end + 2;
        } else {
          ++i;
        }
      }
      if (i >= regex.size()) return std::nullopt;
    } else if (c == '(') {
      Group group;
      group.open = i;
      group.parents = stack.size();
      group.captures = true;
      std::size_t inner = i + 1;
      if (inner < regex.size() && regex[inner] == '?') {
        const std::string_view rest = regex.substr(inner);
        const std::size_t name = rest.starts_with("?P<") ? 3 : rest.starts_with("?<") ? 2 : 0;
        if (name > 0) {
          const std::size_t end = rest.find('>');
          if (end == std::string_view::npos) return std::nullopt;
          group.name = rest.substr(name, end - name);
          inner += end + 1;
        } else {
          group.captures = false;
          const std::size_t end = rest.find_first_of(":)");
          if (end == std::string_view::npos) return std::nullopt;
          inner += end + 1;
          if (rest[end] == ')') {
            shape.flags = true;
            i = inner - 1;
            continue;
          }
        }
      }
      group.inner = inner;
      stack.push_back(shape.groups.size());
      shape.groups.push_back(group);
      i = inner - 1;
    } else if (c == ')') {
      if (stack.empty()) return std::nullopt;
      shape.groups[stack.back()].close = i;
      stack.pop_back();
    } else if (c == '|' && stack.empty()) {
      shape.alternatives = true;
    }
  }
  if (!stack.empty()) return std::nullopt;
  return shape;
}

// `text` as the replacement of a rule: a backslash is itself.
void append_literal(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\') out += '\\';
    out += c;
  }
}

// The groups of a part of an expression do not capture.
std::string without_captures(std::string_view part) {
  const auto shape = shape_of(part);
  if (!shape) return std::string(part);
  std::string out;
  std::size_t done = 0;
  for (const Group& group : shape->groups) {
    if (!group.captures) continue;
    out.append(part.substr(done, group.open - done)).append("(?:");
    done = group.inner;
  }
  return out.append(part.substr(done));
}

// The text of a `replace`, taken apart at {{ .Value }}.
std::optional<std::vector<std::string>> parts_of(std::string_view text) {
  std::vector<std::string> parts(1);
  while (true) {
    const std::size_t open = text.find("{{");
    parts.back().append(text.substr(0, open));
    if (open == std::string_view::npos) return parts;
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos) return std::nullopt;
    std::string_view inside = text.substr(open + 2, close - open - 2);
    while (inside.starts_with(' ')) inside.remove_prefix(1);
    while (inside.ends_with(' ')) inside.remove_suffix(1);
    if (inside != ".Value") return std::nullopt;
    parts.emplace_back();
    text.remove_prefix(close + 2);
  }
}

}  // namespace

std::vector<std::string> group_names(std::string_view regex) {
  std::vector<std::string> names;
  if (const auto shape = shape_of(regex)) {
    for (const Group& group : shape->groups) {
      if (group.captures) names.emplace_back(group.name);
    }
  }
  return names;
}

std::string prefix_groups(std::string_view regex, std::string_view prefix) {
  const auto shape = shape_of(regex);
  if (!shape) return std::string(regex);
  std::string out;
  std::size_t done = 0;
  for (const Group& group : shape->groups) {
    if (group.name.empty()) continue;
    const auto begin = static_cast<std::size_t>(group.name.data() - regex.data());
    out.append(regex.substr(done, begin - done)).append(prefix);
    done = begin;
  }
  return out.append(regex.substr(done));
}

std::optional<Redaction> output_of_group(std::string_view regex, std::string_view name) {
  const auto names = group_names(regex);
  // Go gives a name to the last group that has it.
  const auto found = std::find(names.rbegin(), names.rend(), name);
  if (name.empty() || found == names.rend()) return std::nullopt;
  const auto number = static_cast<std::size_t>(names.rend() - found);
  if (number > kMostGroups) return std::nullopt;
  return Redaction{"(?s:^.*?)(?:" + std::string(regex) + ")(?s:.*)$", "\\" + std::to_string(number)};
}

std::optional<Redaction> replace_groups(std::string_view regex, std::string_view text) {
  const auto shape = shape_of(regex);
  const auto parts = parts_of(text);
  if (!shape || !parts) return std::nullopt;
  std::vector<Group> outer;
  for (const Group& group : shape->groups) {
    const bool inside =
        std::ranges::any_of(outer, [&](const Group& one) { return group.open > one.open && group.open < one.close; });
    if (!group.captures || inside) continue;
    if (group.parents > 0) return std::nullopt;  // in a group that does not capture: it may be repeated or left out
    outer.push_back(group);
  }
  if (outer.empty() || shape->alternatives || shape->flags) return std::nullopt;
  Redaction made;
  std::size_t done = 0, captured = 0;
  const auto keep = [&](std::string_view part) {
    if (part.empty()) return;
    made.pattern.append("(").append(without_captures(part)).append(")");
    made.replacement.append("\\").append(std::to_string(++captured));
  };
  for (const Group& group : outer) {
    const char behind = group.close + 1 < regex.size() ? regex[group.close + 1] : '\0';
    if (behind == '*' || behind == '+' || behind == '?' || behind == '{') return std::nullopt;
    keep(regex.substr(done, group.open - done));
    const std::string inner = without_captures(regex.substr(group.inner, group.close - group.inner));
    if (parts->size() == 1) {
      made.pattern.append("(?:").append(inner).append(")");
    } else {
      made.pattern.append("(").append(inner).append(")");
      ++captured;
    }
    for (std::size_t i = 0; i < parts->size(); ++i) {
      if (i > 0) made.replacement.append("\\").append(std::to_string(captured));
      append_literal(made.replacement, (*parts)[i]);
    }
    done = group.close + 1;
  }
  keep(regex.substr(done));
  if (captured > kMostGroups) return std::nullopt;
  return made;
}

}  // namespace weir::convert
