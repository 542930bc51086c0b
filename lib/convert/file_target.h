// Paths of static targets, in the globs of Promtail (doublestar), as arguments of tail.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

struct TailPaths {
  std::vector<std::string> paths;
  bool bounded = false;  // ** stands for some levels of folders only
};
inline constexpr std::size_t kMostLevels = 4;  // of **

// {a,b} become several paths, and so does **, which tail does not know.
[[nodiscard]] TailPaths tail_paths(std::string_view glob);

// A regular expression that matches the paths that the glob matches.
[[nodiscard]] std::string glob_regex(std::string_view glob);

// Whether tail may take files there for the logs of pods, and give them the labels of these.
[[nodiscard]] bool may_name_pods(std::string_view path);

}  // namespace weir::convert
