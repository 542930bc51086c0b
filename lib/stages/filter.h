// Passes the records that match LogQL expressions, and applies rules from files and ConfigMaps (weir-rules.5) that are read again
// when they change.
#pragma once

#include "pipeline/stage.h"
#include "stages/rule_book.h"

#include <memory>
#include <string>
#include <vector>

namespace weir::stages {

struct FilterSpec {
  std::vector<std::string> pass;  // LogQL; a record must match all of them
  std::vector<std::string> drop;  // LogQL; a record that matches any of them is dropped
  RuleBookSpec rules;             // for what has passed both; no files: none
  bool explain = false;           // pass all records, with what would become of each in the metadata weir_rule
};

// When a --drop expression sets __error__ on a record, the record is kept, unless the expression asks for __error__ itself:
// dropping needs certainty. Gap records (metadata weir_gap_bytes) always pass, because a loss is not noise. A dropped record of
// a tracked chain leaves a position marker. Errors: Code::config with Loki's message and a caret, or those of RuleBook::open().
// What the options alone can tell: whether the expressions compile, and names of ConfigMaps are some. Reads no files.
base::Result<void> check_filter(const FilterSpec& spec);

base::Result<std::unique_ptr<pipeline::Stage>> make_filter(const FilterSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
