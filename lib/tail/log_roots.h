// Where symbolic links may lead.
//
// Whoever may write into one log folder (a container with a hostPath volume) can put a link there, to a file that only root can
// read, and tail often runs as root. So a link is followed only to what is a log anyway:
//   - below the folders that the user named, and to a file that the user named
//   - to a file of a pod's layout, …/<namespace>_<pod>_<uid>/<container>/<n>.log, wherever that stands
//   - to *.log files where container runtimes keep them: runtime_log_folders()
//   - below the folders of --log-root
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// The folders that the links of a kubelet lead to.
[[nodiscard]] std::span<const std::string_view> runtime_log_folders();

// Immutable: any thread may ask. By default every link is followed.
class LogRoots {
 public:
  LogRoots() = default;
  // `inputs`: paths, folders and globs as the user gave them. `more`: further folders.
  LogRoots(const std::vector<std::string>& inputs, const std::vector<std::string>& more);

  // Whether `path`, as it was found, may be opened whatever it leads to.
  [[nodiscard]] bool takes_all() const { return !restricted_; }
  [[nodiscard]] bool names(std::string_view path) const;
  // Whether what a link leads to may be read (a file), or looked into (a folder). `real`: absolute and without links.
  [[nodiscard]] bool allows_file(std::string_view real) const;
  [[nodiscard]] bool allows_folder(std::string_view real) const;

 private:
  [[nodiscard]] bool is_below_a_root(std::string_view real) const;
  bool restricted_ = false;
  std::vector<std::string> named_;  // files
  std::vector<std::string> roots_;  // folders, as they were named: a link among them may come to lead elsewhere
};

}  // namespace weir::tail
