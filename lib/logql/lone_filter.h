// A pipeline with one comparison of a label with texts, `| detected_level="debug"`, beside line filters: the most usual one there
// is. It is answered from the record, without laying out all labels first.
#pragma once

#include "gotext/regex_shape.h"
#include "logql/ast.h"
#include "record/record.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// Immutable.
class LoneFilter {
 public:
  // None when the stage is anything else, or the name is one that other names may become.
  static std::optional<LoneFilter> of(const StageExpr& stage);

  // What LabelFilter::test() says of the record as it came. No answer: a name in its metadata has to be looked at more closely.
  [[nodiscard]] std::optional<bool> passes(const record::Record& record) const;

  // The same in two steps, for those who ask several filters about one label: its value ("" for none), and the verdict on it.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::optional<std::string_view> value(const record::Record& record) const;
  [[nodiscard]] bool holds(std::string_view value) const;

 private:
  std::string name_;
  std::vector<gotext::RegexTest> tests_;  // any of them
  bool negated_ = false;
};

}  // namespace weir::logql
