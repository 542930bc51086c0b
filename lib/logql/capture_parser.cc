#include "logql/capture_parser.h"

#include "gotext/scratch.h"

namespace weir::logql {

RegexpParser::RegexpParser(gotext::Regex regex) : regex_(std::move(regex)) {
  gotext::Scratch scratch;
  for (const std::string& name : regex_.group_names()) names_.emplace_back(sanitize_name(name, true, scratch));
}

bool RegexpParser::process(Scope& scope) const {
  if (!regex_.find(scope.line(), groups_)) return true;
  for (std::size_t i = 1; i < groups_.size(); ++i) {
    if (names_[i].empty() || !scope.wants(names_[i])) continue;
    if (!scope.extract(names_[i], groups_[i])) return false;
  }
  return true;
}

bool PatternParser::process(Scope& scope) const {
  if (scope.satisfied()) return true;
  const std::size_t count = pattern_.capture(scope.line(), values_);
  for (std::size_t i = 0; i < count; ++i) {
    if (!scope.wants(pattern_.names()[i])) continue;
    if (!scope.extract(pattern_.names()[i], values_[i])) return false;
  }
  return true;
}

}  // namespace weir::logql
