#include "tail/selection.h"

#include <fnmatch.h>

#include <algorithm>

namespace weir::tail {
namespace {

using record::PodPath;

bool any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return matches_glob(pattern, name); });
}

bool any_pod(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (is_glob(pattern)) return matches_glob(pattern, name);
    return name.starts_with(pattern) && (name.size() == pattern.size() || name[pattern.size()] == '-');
  });
}

}  // namespace

bool is_glob(std::string_view pattern) { return pattern.find_first_of("*?[") != std::string_view::npos; }

bool matches_glob(const std::string& pattern, std::string_view name) {
  return ::fnmatch(pattern.c_str(), std::string(name).c_str(), 0) == 0;
}

bool Selection::wants_pod(const PodPath& pod) const {
  return (namespaces.empty() || any(namespaces, pod.namespace_name)) && !any(exclude_namespaces, pod.namespace_name) &&
         (pods.empty() || any_pod(pods, pod.pod)) && !any_pod(exclude_pods, pod.pod);
}

bool Selection::wants_container(std::string_view name) const {
  return (containers.empty() || any(containers, name)) && !any(exclude_containers, name);
}

bool Selection::wants(const std::optional<PodPath>& path) const {
  if (!path) return namespaces.empty() && pods.empty() && containers.empty();
  return wants_pod(*path) && wants_container(path->container);
}

}  // namespace weir::tail
