// weir rules unit: unit tests of alerting and recording rules of Loki's ruler.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "cli/exit_code.h"

#include <string>
#include <vector>

namespace weir::cmd {

struct RuleUnits {
  const std::vector<std::string>& files;
  bool json = false;
  const std::string& junit;  // "": none
};

// Runs the tests of all files and prints the outcome; Exit::negative when an expectation does not come true. Errors: of the last
// file that cannot be run. `diagnostics` gets those of the others, and the notes of the rule files.
base::Result<cli::Exit> run_rule_units(const RuleUnits& units, base::Diagnostics& diagnostics);

}  // namespace weir::cmd
