// A run's report, for people and for programs. An Error in its place says why there is no verdict.
#pragma once

#include "base/result.h"
#include "smoke/run.h"

#include <string>
#include <vector>

namespace weir::smoke {

using Outcome = base::Result<RunReport>;

// Several lines, the first of which says it all. Control characters are escaped.
[[nodiscard]] std::string to_text(const RunReport& report);

// One line with the time: for runs that are repeated.
[[nodiscard]] std::string to_line(const Outcome& outcome, base::Timestamp now);

// One JSON object on one line. Durations are in milliseconds. `now` is the time of an outcome without a report.
[[nodiscard]] std::string to_json(const Outcome& outcome, base::Timestamp now);

// A test suite of JUnit's XML, as CI systems read it: one test case for each thing that is checked.
[[nodiscard]] std::string to_junit(const Outcome& outcome);

}  // namespace weir::smoke
