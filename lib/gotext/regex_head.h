// What a text must begin with to match an expression such as ^\d{4}-\d\d-\d\d: a row of sets of ASCII bytes. Comparing a text with
// it costs a few nanoseconds, where running the expression costs fifty, and for many expressions it is the whole answer.
//
// Only expressions that begin with ^ (without the flag m) have a head: literals, classes, dots and {n} behind it, up to the first
// thing of another kind. Expressions with alternatives or flags have none: the tree says too little of their classes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::gotext {

// Immutable; thread safe.
class RegexHead {
 public:
  enum class Answer : std::uint8_t {
    no,
    yes,
    unsure,  // run the expression
  };

  // Of an expression that Regex::compile accepts in mode search.
  explicit RegexHead(std::string_view pattern);

  // Whether the expression matches. A byte that is not ASCII is for the expression to judge: what it stands for, a part of a
  // character or U+FFFD, does not show in a table of bytes.
  [[nodiscard]] Answer test(std::string_view text) const {
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (i >= text.size()) return Answer::no;  // each set takes a byte
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte >= 0x80) return Answer::unsure;
      if ((sets_[i][byte >> 6U] >> (byte & 63U) & 1U) == 0) return Answer::no;
    }
    return whole_ ? Answer::yes : Answer::unsure;
  }

 private:
  std::vector<std::array<std::uint64_t, 2>> sets_;  // of ASCII bytes, one for each place
  bool whole_ = false;                              // nothing else is in the expression
};

}  // namespace weir::gotext
