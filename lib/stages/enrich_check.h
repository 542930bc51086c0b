// What names and values the options of enrich may set; check() of an EnrichSpec (enrich.h) is beside it.
#pragma once

#include "base/result.h"

#include <string_view>

namespace weir::stages {

// Whether Loki takes this value of a label. Error: Code::usage.
[[nodiscard]] base::Result<void> check_label_value(std::string_view name, std::string_view value);

}  // namespace weir::stages
