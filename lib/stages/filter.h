// Passes the records that LogQL expressions match, unchanged.
#pragma once

#include "pipeline/stage.h"

#include <memory>
#include <string>
#include <vector>

namespace weir::stages {

struct FilterSpec {
  std::vector<std::string> pass;  // LogQL; a record must match every one
  std::vector<std::string> drop;  // LogQL; a record that matches any one is dropped
};

// A record on which a --drop expression sets __error__ is kept unless the expression asks for __error__ itself: dropping needs
// certainty. Gap records (metadata weir_gap_bytes) always pass: a loss is not noise. A dropped record of a tracked chain leaves a
// position marker. Errors: Code::config with Loki's message and a caret.
base::Result<std::unique_ptr<pipeline::Stage>> make_filter(const FilterSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
