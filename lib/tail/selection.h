// Which pods and containers are wanted, decided by names, before a file is opened or a folder watched.
#pragma once

#include "record/pod_path.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// Patterns are shell globs. A pod pattern without `*`, `?` or `[` also takes the pods whose names go on with a dash: `web`
// takes web and web-5d8f7c9b4-x2x7k. Empty lists want everything. A file that no pod owns is wanted only while no
// namespace, pod or container is asked for.
struct Selection {
  std::vector<std::string> namespaces, pods, containers;
  std::vector<std::string> exclude_namespaces, exclude_pods, exclude_containers;

  [[nodiscard]] bool wants_pod(const record::PodPath& pod) const;  // by namespace and pod only
  [[nodiscard]] bool wants_container(std::string_view name) const;
  [[nodiscard]] bool wants(const std::optional<record::PodPath>& path) const;
};

// Whether it has `*`, `?` or `[`.
[[nodiscard]] bool is_glob(std::string_view pattern);

// fnmatch(3) without flags.
[[nodiscard]] bool matches_glob(const std::string& pattern, std::string_view name);

}  // namespace weir::tail
