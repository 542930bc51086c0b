// The tree of a regular expression as Go's regexp/syntax builds it, with common prefixes of alternatives factored out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotext {

struct RegexNode {
  enum class Kind : std::uint8_t {
    empty,      // matches the empty string
    literal,    // text
    any,        // . without newline
    any_all,    // . with newline
    klass,      // one character of a class
    assertion,  // ^ $ \b and similar
    star,
    plus,
    quest,
    repeat,  // {min}, {min,} or {min,max}
    capture,
    concat,
    alternate,
  };
  Kind kind = Kind::empty;
  std::string text;   // literal: UTF-8 text; klass and assertion: their source
  bool fold = false;  // literal: case does not matter
  int min = 0;        // repeat
  int max = -1;       // repeat; -1: without bound
  std::vector<RegexNode> nodes;
  friend bool operator==(const RegexNode&, const RegexNode&) = default;
};

// The tree of an expression that RE2 has accepted; nullopt for syntax that this parser does not know.
[[nodiscard]] std::optional<RegexNode> parse_regex(std::string_view pattern);

}  // namespace weir::gotext
