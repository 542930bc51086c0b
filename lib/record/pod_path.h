// What a path says about the log behind it.
//
//   …/<namespace>_<pod>_<uid>/<container>/<n>.log         the kubelet's tree, /var/log/pods
//   …/<pod>_<namespace>_<container>-<64 hex>.log          its links, /var/log/containers
//
// Only the last components count, so a copied tree or folder reads like the original. Neither a namespace nor a pod nor a
// container holds `_`. A rotated file keeps the name of the live one: `0.log.20240501-101010`, `0.log.20240501-101010.gz`,
// `app.log.1`.
#pragma once

#include <optional>
#include <string_view>

namespace weir::record {

// Views into the parsed text. `uid` is empty when the path does not have it, `container` when the name is that of a pod folder.
struct PodPath {
  std::string_view namespace_name;
  std::string_view pod;
  std::string_view uid;
  std::string_view container;
  friend bool operator==(const PodPath&, const PodPath&) = default;
};

[[nodiscard]] std::optional<PodPath> parse_pod_folder(std::string_view name);      // "<namespace>_<pod>_<uid>"
[[nodiscard]] std::optional<PodPath> parse_container_name(std::string_view name);  // "<pod>_<namespace>_<container>-<id>.log"
[[nodiscard]] std::optional<PodPath> parse_pod_path(std::string_view path);        // either form, whole path

// The name of the live file when `name` is a rotation of it, else "".
[[nodiscard]] std::string_view live_name_of(std::string_view name);

}  // namespace weir::record
