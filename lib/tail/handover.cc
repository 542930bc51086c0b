#include "tail/handover.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::tail {
namespace {

OpenFiles::iterator find(OpenFiles& files, const OpenFile& file) {
  return std::ranges::find_if(files, [&](const auto& one) { return one->inode == file.inode && one->device == file.device; });
}

}  // namespace

void Handover::add(const std::string& log, OpenFiles files) {
  const std::lock_guard lock(mutex_);
  OpenFiles& known = files_[log];
  // From the newest on: a file that is new here belongs in front of the one that follows it there.
  auto behind = known.end();
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (const auto same = find(known, **file); same != known.end()) {
      const bool better = !(*same)->fd || ((*file)->fd && (*file)->place < (*same)->place);
      if (better) *same = std::move(*file);
      behind = same;
    } else {
      behind = known.insert(behind, std::move(*file));
    }
  }
}

std::map<std::string, OpenFiles> Handover::files() const {
  const std::lock_guard lock(mutex_);
  return files_;
}

void Handover::clear() {
  std::map<std::string, OpenFiles> closed;
  const std::lock_guard lock(mutex_);
  closed.swap(files_);
}

}  // namespace weir::tail
