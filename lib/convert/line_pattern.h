// What Promtail's stages `output` and `replace` do to a line, as the pattern and the text of a `redact` rule.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

struct Redaction {
  std::string pattern;      // RE2
  std::string replacement;  // of weir-rules(5): \1 is a group
  friend bool operator==(const Redaction&, const Redaction&) = default;
};

// The line becomes what the group `name` of the first match of `regex` holds; other lines stay. Nothing: there is no such group, or
// it is not among the first nine.
[[nodiscard]] std::optional<Redaction> output_of_group(std::string_view regex, std::string_view name);

// Each outermost group of each match is replaced by `text`, in which {{ .Value }} stands for what the group held. Nothing: the text
// is a template that does more; the groups stand in an alternative, or are repeated; there are too many.
[[nodiscard]] std::optional<Redaction> replace_groups(std::string_view regex, std::string_view text);

// A regular expression with `prefix` in front of the names of its groups.
[[nodiscard]] std::string prefix_groups(std::string_view regex, std::string_view prefix);
// The names of its groups, "" for those without one; in their order.
[[nodiscard]] std::vector<std::string> group_names(std::string_view regex);

}  // namespace weir::convert
