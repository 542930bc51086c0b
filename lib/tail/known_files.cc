#include "tail/known_files.h"

#include "tail/pod_path.h"

#include <utility>

namespace weir::tail {

KnownFiles::KnownFiles(const record::Positions& positions) {
  for (const auto& [key, position] : positions) {
    const std::string& log = *logs_.insert(key).first;
    const bool pod = parse_pod_path(key).has_value();
    for (const auto* list : {&position.finished, &position.generations}) {
      for (const record::Generation& generation : *list) {
        // An empty head would match whatever has the inode. A kubelet's rotated files have names that are no log's.
        if (generation.file.head_size == 0 || (pod && generation.done)) continue;
        File file{&log, generation.number, generation.number >= position.resume.generation, generation.file};
        file.identity.path.clear();
        by_inode_.emplace(generation.file.inode, std::move(file));
      }
    }
  }
}

KnownFiles::Owner KnownFiles::owner(InputFile& file) const {
  Owner found;
  const auto [first, last] = by_inode_.equal_range(file.inode());
  for (auto at = first; at != last; ++at) {
    const File& known = at->second;
    if (auto same = file.is(known.identity, false); !same || !*same) continue;
    if (found.log.empty() || *known.log == file.path()) found = {*known.log, known.generation, known.to_be_read};
  }
  return found;
}

void KnownFiles::retain(const std::function<bool(const std::string& key)>& keep) {
  std::erase_if(by_inode_, [&](const auto& entry) { return !keep(*entry.second.log); });
  std::erase_if(logs_, [&](const std::string& key) { return !keep(key); });
}

}  // namespace weir::tail
