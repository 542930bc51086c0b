// What a regular expression says without running it: the literals it needs, and the shapes that Loki replaces by plain
// comparisons, which depend on its tree (regex_tree.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotext {

// What Loki tests in place of some regular expressions: a text passes when any of the tests holds.
struct RegexTest {
  enum class Kind : std::uint8_t { equals, contains, not_empty, always };
  Kind kind = Kind::equals;
  std::string text;
  bool fold = false;  // text is in lower case and so must the other be made
  friend bool operator==(const RegexTest&, const RegexTest&) = default;
  [[nodiscard]] bool holds(std::string_view value) const;
};

// For a label filter `name =~ "pattern"`. Not the same as the anchored expression: `x.*` tests whether the value contains x
// anywhere, `err|error` too, and the empty branch of `x|` is forgotten.
[[nodiscard]] std::optional<std::vector<RegexTest>> simplify_label_regex(std::string_view pattern);
// For a line filter `|~ "pattern"`: the same shapes, but a plain literal is searched.
[[nodiscard]] std::optional<std::vector<RegexTest>> simplify_line_regex(std::string_view pattern);

// Byte strings that every text contains in which the expression is found. `all`: each of them. `any`: when not empty, one of
// them. `exact`: the expression is found if and only if one of `any` is contained.
struct RequiredLiterals {
  std::vector<std::string> all;
  std::vector<std::string> any;
  bool exact = false;
};
[[nodiscard]] RequiredLiterals required_literals(std::string_view pattern);

}  // namespace weir::gotext
