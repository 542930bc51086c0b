// `| regexp "…"` and `| pattern "…"`: labels from parts of the line that are matched by place.
#pragma once

#include "base/result.h"
#include "gotext/regex.h"
#include "logql/pattern.h"
#include "logql/scope.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::logql {

class RegexpParser : public Stage {
 public:
  explicit RegexpParser(gotext::Regex regex);
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  gotext::Regex regex_;
  std::vector<std::string> names_;  // by group, "" for those without
  mutable std::vector<std::string_view> groups_;
};

class PatternParser : public Stage {
 public:
  explicit PatternParser(Pattern pattern) : pattern_(std::move(pattern)) {}
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  Pattern pattern_;
  mutable std::vector<std::string_view> values_;
};

}  // namespace weir::logql
