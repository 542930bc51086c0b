// Which of many selectors take a label set. Most name a label's value, `{namespace="shop"}`; these are looked up by that value, so
// that a new label set is not held against all of them.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "logql/matcher.h"
#include "record/label_set.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weir::rules {

class SelectorIndex {
 public:
  // The next selector; they are numbered from 0. Errors: those of logql::Selector.
  base::Result<void> add(const std::vector<logql::MatcherExpr>& matchers);

  // The numbers of the selectors that take the set, ascending, in place of what was in `out`.
  void select(const record::LabelSet& labels, std::vector<std::uint32_t>& out) const;

 private:
  using Numbers = std::vector<std::uint32_t>;
  std::vector<logql::Selector> selectors_;
  std::map<std::string, std::map<std::string, Numbers, std::less<>>, std::less<>> by_value_;  // by name, then by value
  Numbers others_;  // that name no value, and have to be asked about each set
};

}  // namespace weir::rules
