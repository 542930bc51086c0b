// `weir query --rules`: what alerting and recording rules of Loki's ruler say of the records in spools.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/time_range.h"
#include "pipeline/stage.h"
#include "scan/limits.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::stages {

struct RulesQuestion {
  std::vector<std::string> files;  // of rules
  std::vector<std::string> spools;
  std::optional<std::string> tenant;  // whose records; none: those of all
  std::optional<base::Timestamp> at;  // none: rules_time()
  base::TimeRange range;              // `from`: the earliest evaluation. Without it: the oldest record
  scan::Limits scan;                  // what reading spools may take
  bool json = false;
};

// What was found, for the exit code. The source fills it in when it has ended.
struct RulesVerdict {
  bool anything = false;  // an alert fires, or, of files without alerts, a recording rule has a series
};

// Whether all files can be read: the errors of make_rules_answer() about them, before the records are there.
[[nodiscard]] base::Result<void> check_rule_files(const std::vector<std::string>& paths);

// The time of the newest record of the tenant, in whole milliseconds; the present when there are no records. Errors: those of
// scan::stored_time().
[[nodiscard]] base::Result<base::Timestamp> rules_time(const RulesQuestion& question, const base::Clock& clock);

// Emits the answer as records with only a line, for raw output. The summary counts the alerts by their state. Errors of building:
// those of the files of rules and of the spools. A rule that cannot be evaluated is in the answer, and Code::config in the end.
base::Result<std::unique_ptr<pipeline::Source>> make_rules_answer(const RulesQuestion& question,
                                                                  std::shared_ptr<RulesVerdict> verdict,
                                                                  const pipeline::Context& context);

}  // namespace weir::stages
