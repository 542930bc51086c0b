// Loki's words for what it refuses, where they are needed in more than one place.
#pragma once

#include <string_view>

namespace weir::logql {

inline constexpr std::string_view kNoMatcher =
    "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, "
    "app=~\".*\" "
    "does not meet this requirement, but app=~\".+\" will";

}  // namespace weir::logql
