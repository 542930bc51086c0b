// Runs the unit tests of a file: each test's rules over its lines, from its start to its last time, and compares.
#pragma once

#include "base/result.h"
#include "ruler/rule_file.h"
#include "ruler/unit_file.h"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace weir::ruler {

// What was expected and did not come true. Nothing in it is escaped.
struct UnitFailure {
  yaml::Place place;               // of the expectation
  std::string subject;             // "alert HighErrorRatio at 5m"
  std::vector<std::string> lines;  // what is expected, and what there is
};
struct UnitOutcome {
  std::string test;  // its name, or "test 2"
  yaml::Place place;
  std::size_t expectations = 0;
  std::vector<UnitFailure> failures;
};

// `rules`: those of the file's rule_files. Errors: Code::config for a name that no rule has, and for what cannot be evaluated.
[[nodiscard]] base::Result<std::vector<UnitOutcome>> run_unit_tests(const UnitFile& file, std::span<const RuleFile> rules);

// Reads the rule files that `file`, at `path`, names. Errors: those of files and of read_rules(), and a pattern that no file
// matches.
[[nodiscard]] base::Result<std::vector<RuleFile>> load_rule_files(const UnitFile& file, const std::string& path);

}  // namespace weir::ruler
