// The label that Loki gives to every stream (its setting discover_service_name).
// https://grafana.com/docs/loki/latest/get-started/labels/#default-labels-for-all-users
#pragma once

#include <functional>
#include <string_view>

namespace weir::names {

inline constexpr std::string_view kServiceName = "service_name";

// What Loki chooses by default for a stream without the label: the value of the first label of its list, else "unknown_service".
// `value_of` gives the value of a label, "" for none.
[[nodiscard]] std::string_view service_name(const std::function<std::string_view(std::string_view name)>& value_of);

}  // namespace weir::names
