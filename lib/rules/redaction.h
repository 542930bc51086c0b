// A `redact`, compiled: replaces every match of its pattern in a text. A match that is empty is none: there is nothing to hide.
#pragma once

#include "base/result.h"
#include "gotext/regex.h"
#include "rules/rule.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::rules {

// Not thread safe: it keeps memory for its next text.
class Redaction {
 public:
  // Code::config, without a place: the pattern is no regular expression, or the replacement asks for a group that it has not.
  static base::Result<Redaction> compile(const Redact& action);

  // False: the pattern matches nowhere in the line that this is the inside of a JSON string of. So that line need not be decoded.
  [[nodiscard]] bool may_match_escaped(std::string_view escaped) const;

  static constexpr std::size_t kMostBytes = 32 << 20;  // of a text with its matches replaced; what is longer is cut

  // Writes `text` with all matches replaced to `out`. False when that would be the same text; `out` is then anything.
  [[nodiscard]] bool apply(std::string_view text, std::string& out);

 private:
  struct Piece {
    int group = -1;  // what it matched; -1: `text`
    std::string text;
  };
  explicit Redaction(gotext::Regex regex) : regex_(std::move(regex)) {}
  base::Result<void> read_replacement(std::string_view text);

  gotext::Regex regex_;
  std::vector<Piece> replacement_;
  int groups_asked_ = 1;
  // Of the literals of the pattern those that JSON writes as they are.
  std::vector<std::string> all_;  // every match has each of them
  std::vector<std::string> any_;  // when there are some: every match has one of them
  std::vector<std::string_view> found_;
};

}  // namespace weir::rules
