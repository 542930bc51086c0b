// What a path says about the log behind it, and which names belong to one log.
//
//   …/<namespace>_<pod>_<uid>/<container>/<n>.log         the kubelet's tree, /var/log/pods
//   …/<pod>_<namespace>_<container>-<64 hex>.log          its links, /var/log/containers
//
// Only the last components count, so a copied tree or folder reads like the original. Neither a namespace nor a pod nor a
// container holds `_`. A rotated file keeps the name of the live one: `0.log.20240501-101010`, `0.log.20240501-101010.gz`,
// `app.log.1`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::tail {

// Views into the parsed text. `uid` is empty where the path does not tell it, `container` where the name is a pod folder's.
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

// The name of the live file of which `name` is a rotation, "" when it is none.
[[nodiscard]] std::string_view live_name_of(std::string_view name);
// What tells a rotation of `live` from others: the name without that of the live file, separators and `.gz`; "" when it is none.
[[nodiscard]] std::string_view rotation_of(std::string_view name, std::string_view live);
// The same of a rotation that keeps the extension: `server-2024-05-01.log`, `server.1.log`, also with `.gz`, of `server.log` (lumberjack, logback,
// logrotate's `extension`). The name alone does not tell it from another log, `server-1.log` of a second server.
[[nodiscard]] std::string_view inner_rotation_of(std::string_view name, std::string_view live);
// The name without what counts or dates it: alike for the rotations that one program makes of one log.
[[nodiscard]] std::string rotation_shape(std::string_view name);
// True when it is a number, a time or `old`, as rotation gives; others are what people left beside a log.
[[nodiscard]] bool is_rotation_order(std::string_view rotation);
// Of two such texts: `a` is older. Counts rise with age (app.log.1 is younger than app.log.2), as logrotate and docker count; times fall.
[[nodiscard]] bool rotation_before(std::string_view a, std::string_view b);
[[nodiscard]] bool is_rotation_count(std::string_view rotation);
// True when rotation `a` is older than rotation `b` of the same live file.
[[nodiscard]] bool rotated_before(std::string_view a, std::string_view b);

[[nodiscard]] std::string_view base_name(std::string_view path);
[[nodiscard]] std::string join_path(std::string_view folder, std::string_view name);
[[nodiscard]] std::string_view folder_of(std::string_view path);  // "." without a slash, "/" for the root's own
// Absolute and without `.`, `..` and doubled slashes; symbolic links stay.
[[nodiscard]] std::string absolute_path(std::string_view path);

}  // namespace weir::tail
