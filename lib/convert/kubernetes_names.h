// What Prometheus makes of the names of labels and annotations, backwards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

// What Kubernetes may call something that Prometheus calls `name`: app_kubernetes_io_name is app.kubernetes.io/name. The likeliest
// comes first; more than one where it cannot be told.
[[nodiscard]] std::vector<std::string> kubernetes_names(std::string_view name);

}  // namespace weir::convert
