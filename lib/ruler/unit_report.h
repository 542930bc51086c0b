// The outcome of unit tests of rules, for people, programs and CI systems.
#pragma once

#include "ruler/unit_run.h"

#include <span>
#include <string>
#include <vector>

namespace weir::ruler {

struct UnitFileOutcome {
  std::string file;
  std::vector<UnitOutcome> tests;

  [[nodiscard]] std::size_t expectations() const;
  [[nodiscard]] std::size_t failures() const;
};

// "FILE: 5 expectations in 2 tests: ok", or what differs. Control characters are escaped.
[[nodiscard]] std::string to_text(const UnitFileOutcome& outcome);
// One JSON object: passed, and files with their tests and failures.
[[nodiscard]] std::string to_json(std::span<const UnitFileOutcome> outcomes);
// JUnit's XML: a test suite a file, a test case a test.
[[nodiscard]] std::string to_junit(std::span<const UnitFileOutcome> outcomes);

}  // namespace weir::ruler
