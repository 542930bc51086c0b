// Text of rules -> values. One rule a line; `#` outside of a quoted text begins a comment; empty lines are allowed. Lines end with
// LF or CRLF; a byte order mark at the beginning is skipped. Expressions are compiled once on the way, so what parse() accepts
// compiles.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "rules/rule.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::rules {

inline constexpr std::size_t kMostTextBytes = 1 << 20;  // of one file
inline constexpr std::size_t kMostRules = 10'000;       // of all files together

struct NamedText {
  std::string name;  // what errors and RulePlace call it; "" for a text that has no name
  std::string text;
};

// All rules of one text, in order. `now` only serves texts to paste: with it, the error of `keep for 30m` shows the whole line.
//
// Errors: Code::config "FILE:3:8: unknown action 'dorp'" (without a name "line 3, column 8: …"), columns in characters. The hint
// holds the line, a caret under the column, and what to write instead where that can be told. Error::text and Error::offset are the
// text and the byte. The first error alone is given.
base::Result<std::vector<Rule>> parse(std::string_view text, std::string_view file, std::optional<base::Timestamp> now = {});

// The rules of several texts, one after the other. A name may stand only once in all of them.
base::Result<std::vector<Rule>> parse(std::span<const NamedText> texts, std::optional<base::Timestamp> now = {});

// What is wrong with several texts, for somebody who corrects them: the first mistake of each line, in order, at most `most`. Empty
// where parse() accepts the texts; the first is the error that parse() gives.
[[nodiscard]] std::vector<base::Error> mistakes(std::span<const NamedText> texts, std::size_t most,
                                                std::optional<base::Timestamp> now = {});

// One rule that somebody typed: a lifetime without `from` begins `now`.
struct TypedRule {
  Rule rule;
  std::string text;          // as it was typed, without blanks around it, with `from` filled in
  bool from_filled = false;  // `from` was not typed
};
base::Result<TypedRule> parse_typed(std::string_view text, base::Timestamp now);

// The lines of a text of rules, for editors: where the comment of a line begins, outside of quoted texts.
[[nodiscard]] std::size_t comment_begin(std::string_view line);  // line.size() where there is none
// Whether a text has neither a rule nor a comment. A running chain refuses such a text, which may be half a write.
[[nodiscard]] bool is_blank(std::string_view text);

// Names of rules: a letter, then letters, digits, `_`, `-` and `.`, at most 63, and not the form of Rule::id() of nameless rules.
[[nodiscard]] bool is_rule_name(std::string_view name);
// "rule-1f3a9c02"
[[nodiscard]] bool is_rule_hash(std::string_view name);

}  // namespace weir::rules
