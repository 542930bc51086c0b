#include "logql/function_advice.h"

#include "base/suggestion.h"
#include "logql/function_names.h"

#include <array>
#include <string>
#include <vector>

namespace weir::logql {
namespace {

struct Meant {
  std::string_view word;
  std::string_view advice;
};

// Functions of PromQL, and what LogQL has instead.
constexpr std::array<Meant, 24> kOfPromQl = {{
    {"increase", "use count_over_time for lines, or sum_over_time with unwrap for numbers"},
    {"irate", "use rate"},
    {"idelta", "use rate_counter with unwrap"},
    {"delta", "use rate_counter with unwrap"},
    {"deriv", "use rate_counter with unwrap"},
    {"histogram_quantile", "use quantile_over_time with unwrap"},
    {"quantile", "use quantile_over_time with unwrap"},
    {"absent", "use absent_over_time"},
    {"present_over_time", "use count_over_time, compared with > bool 0"},
    {"count_values", "use sum by (FIELD) (count_over_time(…))"},
    {"group", "use count, or sum by"},
    {"label_join", "use label_replace, or label_format in the range"},
    {"changes", "use count_over_time"},
    {"resets", "use rate_counter, which notices resets"},
    {"scalar", "a number stands without a function"},
    {"time", "a query has no functions of time; give a range: [5m]"},
    {"timestamp", "a query has no functions of time; give a range: [5m]"},
    {"abs", "compare or multiply instead"},
    {"round", "multiply and divide, or use round in a template of label_format"},
    {"ceil", "use ceil in a template of label_format"},
    {"floor", "use floor in a template of label_format"},
    {"clamp_max", "compare with < instead"},
    {"clamp_min", "compare with > instead"},
    {"limitk", "use topk"},
}};

const std::vector<std::string>& function_names() {
  static const auto* names = [] {
    auto* all = new std::vector<std::string>(kRangeFunctions.begin(), kRangeFunctions.end());
    all->insert(all->end(), kMetricFunctions.begin(), kMetricFunctions.end());
    return all;
  }();
  return *names;
}

}  // namespace

FunctionAdvice instead_of_function(std::string_view name) {
  for (const Meant& one : kOfPromQl) {
    if (one.word == name) return {.advice = one.advice, .near = {}};
  }
  return {.advice = {}, .near = base::nearest(name, function_names())};
}

}  // namespace weir::logql
