// What to write in place of a function that LogQL does not have. A part of metric_advice.h.
#pragma once

#include <string_view>

namespace weir::logql {

// At most one of them is not empty. Both live for ever.
struct FunctionAdvice {
  std::string_view advice;  // of a function of PromQL: "use rate"
  std::string_view near;    // of another name: the function of LogQL that it resembles
};

// `name` in small letters.
[[nodiscard]] FunctionAdvice instead_of_function(std::string_view name);

}  // namespace weir::logql
