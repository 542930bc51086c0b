// Finds rules that are correct but probably not intended, for `weir rules check`, and for messages at a start and a reload.
#pragma once

#include "base/clock.h"
#include "rules/parser.h"
#include "rules/rule.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::rules {

enum class Severity : std::uint8_t {
  note,     // worth to know; may well be meant
  warning,  // most likely a mistake
};

struct Finding {
  std::size_t rule = 0;  // index in what was checked
  RulePlace place;
  Severity severity = Severity::warning;
  std::string message;  // "drops all records"; one line without a full stop
  std::string hint;     // what to do; may be empty
};

// Where the rules stand.
struct Surroundings {
  base::Timestamp now = 0;
  // Whether a stage in front sets detected_level (`enrich --level`); nothing: unknown, as for a file by itself.
  std::optional<bool> levels_known = {};
  bool behind_buffer = false;  // what a rule changes was stored before
};

// The rules of all files together, in order. Findings stand in the order of the rules.
[[nodiscard]] std::vector<Finding> check(std::span<const Rule> rules, const Surroundings& where);

// A note for each text that has neither a rule nor a comment. Finding::rule is 0.
[[nodiscard]] std::vector<Finding> check_texts(std::span<const NamedText> texts);

// "FILE:LINE", "line LINE" of a text without a name.
[[nodiscard]] std::string print(const RulePlace& place);

// Whether every record that matches `inner` also matches `outer`, as far as their texts show: false may mean that this is
// unknown. Records on which an expression fails are left out.
[[nodiscard]] bool covers(const logql::LogExpr& outer, const logql::LogExpr& inner);

}  // namespace weir::rules
