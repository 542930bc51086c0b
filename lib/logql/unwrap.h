// `| unwrap LABEL`, `| unwrap duration(LABEL)`, `| unwrap bytes(LABEL)`: the value of a metric query's sample is that of a label.
#pragma once

#include "logql/ast.h"
#include "logql/scope.h"

#include <string>

namespace weir::logql {

inline constexpr std::string_view kSampleError = "SampleExtractionErr";  // of __error__

// Drops a record that lacks the label, or in which it is empty. Keeps one whose value is no number, with __error__ set.
class Unwrap : public Stage {
 public:
  explicit Unwrap(const UnwrapExpr& expr);
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  enum class Conversion : std::uint8_t { number, duration, bytes };
  std::string label_;
  Conversion conversion_;
};

}  // namespace weir::logql
