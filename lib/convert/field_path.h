// Promtail's json stage takes fields by JMESPath, LogQL's json by a path of its own. A path of names and indexes is in both.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::convert {

// `a.b`, `a."x.y"`, `a[0].b` -> the expression of LogQL. Nothing: functions, filters, projections, pipes and whatever else only
// JMESPath has.
[[nodiscard]] std::optional<std::string> logql_path(std::string_view jmes_path);

}  // namespace weir::convert
