#include "kube/pod.h"

#include <algorithm>

namespace weir::kube {
namespace {

std::string_view value_in(const Pod::Values& values, std::string_view name) {
  const auto found = std::ranges::lower_bound(values, name, {}, [](const auto& pair) { return std::string_view(pair.first); });
  return found != values.end() && found->first == name ? std::string_view(found->second) : std::string_view();
}

// The least digits of a CronJob's schedule: minutes since 1970 have eight.
constexpr std::size_t kScheduleDigits = 8;

}  // namespace

std::string_view Pod::label(std::string_view key) const { return value_in(labels, key); }
std::string_view Pod::annotation(std::string_view key) const { return value_in(annotations, key); }

std::string_view PodId::key(std::string& place) const {
  return place.assign(uid).append("/").append(namespace_name).append("/").append(name);
}

PodId id_of(const Pod& pod) { return {pod.uid, pod.namespace_name, pod.name}; }

Workload workload_of(const Pod& pod) {
  const std::string_view name = pod.owner_name;
  if (pod.owner_kind == "ReplicaSet") {
    const std::string_view hash = pod.label("pod-template-hash");
    if (!hash.empty() && name.size() > hash.size() + 1 && name.ends_with(hash) && name[name.size() - hash.size() - 1] == '-') {
      return {"Deployment", name.substr(0, name.size() - hash.size() - 1)};
    }
  }
  if (pod.owner_kind == "Job") {
    const std::size_t dash = name.rfind('-');
    const std::string_view digits = dash == std::string_view::npos || dash == 0 ? std::string_view() : name.substr(dash + 1);
    if (digits.size() >= kScheduleDigits && digits.find_first_not_of("0123456789") == std::string_view::npos) {
      return {"CronJob", name.substr(0, dash)};
    }
  }
  return {pod.owner_kind, name};
}

}  // namespace weir::kube
