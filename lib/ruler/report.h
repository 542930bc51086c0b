// What a Survey found, for people and for programs.
#pragma once

#include "ruler/survey.h"

#include <span>
#include <string>
#include <vector>

namespace weir::ruler {

// Lines for people. Group by group: what fires first, then what is pending, with its labels and annotations; the rest a line each.
// Control characters are escaped. Times are UTC.
[[nodiscard]] std::vector<std::string> to_lines(std::span<const RuleReport> reports);

// A JSON object a line: one for each pending or firing alert, for each series of a recording rule, and for each rule that has none
// or failed. Keys: file, group, rule, type ("alert", "record"), state ("firing", "pending", "inactive", "ok", "error"), labels, and
// as far as they apply value, annotations, active_at, fired_at, kept_since, resolved_at, hint, error.
[[nodiscard]] std::vector<std::string> to_json_lines(std::span<const RuleReport> reports);

// "2 firing, 1 pending, 4 inactive; 3 series recorded": alerts by their state, and rules of which none is active.
[[nodiscard]] std::string summary_of(std::span<const RuleReport> reports);

}  // namespace weir::ruler
