#include "names/service_name.h"

#include <array>

namespace weir::names {

std::string_view service_name(const std::function<std::string_view(std::string_view name)>& value_of) {
  // Loki's default for discover_service_name, in its order.
  constexpr std::array<std::string_view, 13> kFrom = {"service",
                                                      "app",
                                                      "application",
                                                      "app_name",
                                                      "name",
                                                      "app_kubernetes_io_name",
                                                      "container",
                                                      "container_name",
                                                      "k8s_container_name",
                                                      "component",
                                                      "workload",
                                                      "job",
                                                      "k8s_job_name"};
  for (const std::string_view name : kFrom) {
    if (const std::string_view value = value_of(name); !value.empty()) return value;
  }
  return "unknown_service";
}

}  // namespace weir::names
