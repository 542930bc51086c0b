#include "tail/log_roots.h"

#include "base/path.h"
#include "record/pod_path.h"
#include "tail/pattern.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace weir::tail {
namespace {

using base::absolute_path;
using base::base_name;
using base::folder_of;
using base::join_path;
using record::live_name_of;
using record::parse_pod_folder;
using record::parse_pod_path;

std::string real_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  return error ? path : real.string();
}

bool is_below(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool is_log_name(std::string_view name) { return name.ends_with(".log") || !live_name_of(name).empty(); }

}  // namespace

std::span<const std::string_view> runtime_log_folders() {
  static constexpr std::array<std::string_view, 5> kFolders = {"/var/log/pods", "/var/log/containers", "/var/lib/docker/containers",
                                                               "/var/snap/docker/common/var-lib-docker/containers",
                                                               "/var/lib/containers/storage/overlay-containers"};
  return kFolders;
}

LogRoots::LogRoots(const std::vector<std::string>& inputs, const std::vector<std::string>& more) : restricted_(true) {
  for (const std::string& input : inputs) {
    for (const Pattern& pattern : patterns_of(input)) {
      roots_.push_back(pattern.base);
      if (!pattern.named) continue;
      const std::string path = join_path(pattern.base, pattern.levels.back().text);
      named_.push_back(path);
      named_.push_back(resolve_log(path).path);
      // Its rotated files stand beside what it leads to.
      roots_.emplace_back(folder_of(real_path(path)));
    }
  }
  for (const std::string& folder : more) roots_.push_back(absolute_path(folder));
  std::ranges::sort(roots_);
  roots_.erase(std::unique(roots_.begin(), roots_.end()), roots_.end());
}

bool LogRoots::names(std::string_view path) const { return std::ranges::find(named_, path) != named_.end(); }

bool LogRoots::is_below_a_root(std::string_view real) const {
  return std::ranges::any_of(roots_,
                             [&](const std::string& root) { return is_below(real, root) || is_below(real, real_path(root)); });
}

bool LogRoots::allows_file(std::string_view real) const {
  if (!restricted_ || is_below_a_root(real)) return true;
  if (const auto pod = parse_pod_path(real); pod && !pod->uid.empty()) return true;
  return is_log_name(base_name(real)) &&
         std::ranges::any_of(runtime_log_folders(), [&](std::string_view folder) { return is_below(real, folder); });
}

bool LogRoots::allows_folder(std::string_view real) const {
  if (!restricted_ || is_below_a_root(real)) return true;
  if (parse_pod_folder(base_name(real)) || parse_pod_folder(base_name(folder_of(real)))) return true;
  return std::ranges::any_of(runtime_log_folders(), [&](std::string_view folder) { return is_below(real, folder); });
}

}  // namespace weir::tail
