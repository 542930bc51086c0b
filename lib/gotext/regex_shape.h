// What is known about a regular expression without running it: the literals it needs, and the shapes that Loki replaces by
// plain comparisons. These shapes depend on the expression's tree (regex_tree.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotext {

// A test that Loki makes in place of some regular expressions. A text passes when any one of the tests holds.
struct RegexTest {
  enum class Kind : std::uint8_t { equals, contains, not_empty, always };
  Kind kind = Kind::equals;
  std::string text;
  bool fold = false;  // ignore case: `text` is in lower case, and the tested text must be lowered
  friend bool operator==(const RegexTest&, const RegexTest&) = default;
  [[nodiscard]] bool holds(std::string_view value) const;
};

// For a label filter `name =~ "pattern"`. This is not the same as the anchored expression: `x.*` tests whether the value
// contains x anywhere, so does `err|error`, and the empty branch of `x|` is ignored.
[[nodiscard]] std::optional<std::vector<RegexTest>> simplify_label_regex(std::string_view pattern);
// For a line filter `|~ "pattern"`. The shapes are the same, but a plain literal is searched for.
[[nodiscard]] std::optional<std::vector<RegexTest>> simplify_line_regex(std::string_view pattern);

// Byte strings that occur in every text that the expression matches. `all`: each of them occurs. `any`: when it is not empty,
// one of them occurs. `exact`: the expression matches if and only if one of `any` occurs.
struct RequiredLiterals {
  std::vector<std::string> all;
  std::vector<std::string> any;
  bool exact = false;
};
[[nodiscard]] RequiredLiterals required_literals(std::string_view pattern);

}  // namespace weir::gotext
