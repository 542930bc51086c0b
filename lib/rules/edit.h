// Edits of a text of rules, as pure functions. What they do not change stays byte for byte: comments, order, blank lines, line
// ends.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "rules/check.h"
#include "rules/rule.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir::rules {

// What add() knows of its caller.
struct Author {
  base::Timestamp now = 0;
  std::string user;  // for the audit comment; "" when unknown
};

struct Added {
  std::string text;               // of the whole file
  Rule rule;                      // with its new place
  std::size_t pruned = 0;         // rules that expired long ago and are gone now
  bool already = false;           // an equal rule stood there: `rule` is that one, and the text stays as it was
  std::vector<Finding> warnings;  // of check() on the new text, about the rule
};

// Puts `rule` first, so that it decides before all others of its phase: behind a comment at the head that a blank line closes, and
// below an audit comment of its own, "# added 2026-11-29T12:00:00Z by NAME". A lifetime without `from` begins now. Rules that
// expired more than 7 days ago go, each with its audit comment, and so does an expired rule that has the name of the new one.
// Where an equal rule stands already, nothing changes. `file` is what errors call the text.
// Errors: Code::config, of the rule (without a name of a file), or of the text, before or after, which is then not changed.
base::Result<Added> add(std::string_view text, std::string_view file, std::string_view rule, const Author& author);

struct Removed {
  std::string text;  // of the whole file
  std::string line;  // what stood there, without blanks around it
};

// Takes one rule away, with its audit comment. `which` is the number of its line, its name, its id, or its text; a lifetime without
// `from` means that of any time. A line with a mistake can be named by its number. Where neither a rule nor a comment remains, the
// text becomes "# no rules": a running chain takes an empty file for a broken one. add() takes that line away again.
// Errors: Code::usage when no rule or more than one is meant; the hint names what is near, or the lines. Code::config as for add().
base::Result<Removed> remove(std::string_view text, std::string_view file, std::string_view which, base::Timestamp now);

}  // namespace weir::rules
