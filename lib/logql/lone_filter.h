// A pipeline with one comparison of a label with texts, `| detected_level="debug"`, beside line filters: the most usual one there
// is. It is answered from the record, without laying out all labels first.
#pragma once

#include "gotext/regex_shape.h"
#include "logql/ast.h"
#include "record/record.h"

#include <optional>
#include <string>
#include <vector>

namespace weir::logql {

// Immutable.
class LoneFilter {
 public:
  // None when the stage is anything else, or the name is one that other names may become.
  static std::optional<LoneFilter> of(const StageExpr& stage);

  // What LabelFilter::test() says of the record as it came. No answer: a name in its metadata has to be looked at more closely.
  [[nodiscard]] std::optional<bool> passes(const record::Record& record) const;

 private:
  [[nodiscard]] bool holds(std::string_view value) const;
  std::string name_;
  std::vector<gotext::RegexTest> tests_;  // any of them
  bool negated_ = false;
};

}  // namespace weir::logql
