// Files of the source tree that are kept in the binary, so that a node needs nothing else: the manual pages that are written by
// hand (man/*.5, man/*.7), and the examples that `weir docs` prints. CMake finds them, there is no list. The texts stand in
// read-only pages of the binary, which are not loaded until somebody reads them.
#pragma once

#include <span>
#include <string_view>

namespace weir::cmd {

struct TreeFile {
  std::string_view path;  // "man/weir-record.5"
  std::string_view text;
};

// Ordered by path.
[[nodiscard]] std::span<const TreeFile> tree_files();

}  // namespace weir::cmd
