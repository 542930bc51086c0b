// Files of LogQL alerting and recording rules, in the format that Loki's ruler and Prometheus read: groups of rules.
// https://grafana.com/docs/loki/latest/alert/
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "yaml/tree.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::ruler {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // sorted by name, each name once

struct Rule {
  enum class Kind : std::uint8_t { alert, record };
  Kind kind = Kind::alert;
  std::string name;
  std::string expr;                // LogQL; a metric query
  base::Duration hold = 0;         // `for`: how long an alert stays pending
  base::Duration keep_firing = 0;  // `keep_firing_for`: how long it fires on when the expression no longer holds
  Pairs labels;                    // with those of the group, which the rule's own override; templates, of an alert
  Pairs annotations;               // templates
  yaml::Place place;               // of its name
};

struct Group {
  std::string name;
  base::Duration interval = 0;  // between two evaluations; 0: the default of who evaluates
  base::Duration delay = 0;     // `query_offset`: how far in the past the expressions are evaluated
  std::size_t limit = 0;        // alerts, or series of a recording rule; 0: any number
  std::vector<Rule> rules;
};

struct RuleFile {
  std::string name;  // what messages call it
  std::vector<Group> groups;
  // What the file says and Loki's ruler (3.7) does not do: "NAME:LINE:COLUMN: …".
  std::vector<std::string> notes;
};

// Reads the text and checks all that Loki's ruler checks: names, durations, expressions and templates, and that nothing unknown
// stands there. Beyond that, an expression must be a metric query, which Loki notices only when it evaluates it.
// Errors: Code::config, "NAME:LINE:COLUMN: cause" with the line and a caret, and what to do.
[[nodiscard]] base::Result<RuleFile> read_rules(std::string_view text, std::string_view name);

}  // namespace weir::ruler
