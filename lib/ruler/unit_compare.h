// The differences between what a unit test expects and what there is, as lines for people: each alert or sample once, and of those
// that are there with other contents only what differs.
#pragma once

#include "base/clock.h"
#include "ruler/alert_state.h"
#include "ruler/rule_file.h"
#include "ruler/unit_file.h"

#include <string>
#include <vector>

namespace weir::ruler {

struct ActiveAlert {
  Alert alert;  // pending or firing
  Pairs annotations;
};

// Empty when the firing ones are the expected ones. `start`: of the test, from which shown times count.
[[nodiscard]] std::vector<std::string> compare_alerts(const std::vector<ExpectedAlert>& expected,
                                                      const std::vector<ActiveAlert>& active, base::Timestamp start);

// Empty when they are the same, in any order. `fuzzy`: values may differ in the last bit.
[[nodiscard]] std::vector<std::string> compare_samples(std::vector<ExpectedSample> expected, std::vector<ExpectedSample> got,
                                                       bool fuzzy);

}  // namespace weir::ruler
