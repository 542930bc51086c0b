#include "tail/known_files.h"

#include "tail/log_reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::tail {
namespace {

// A log that ends has its end behind the places of lines that were open (LogReader::finish_front): what is added to the file begins
// before it.
std::uint64_t text_end(InputFile& file, std::uint64_t end) {
  constexpr std::uint64_t kBehind = 4;
  const auto ends_line = [&](std::uint64_t at) {
    char last = 0;
    auto got = at == 0 || at >= LogReader::kAbandoned ? 0 : file.read(at - 1, &last, 1);
    return got && *got == 1 && last == '\n';
  };
  return end > kBehind && !ends_line(end) && ends_line(end - kBehind) ? end - kBehind : end;
}

}  // namespace

KnownFiles::KnownFiles(const record::Positions& positions) {
  for (const auto& [key, position] : positions) {
    const std::string& log = *logs_.insert(key).first;
    std::uint32_t last = 0;
    for (const auto* list : {&position.finished, &position.generations}) {
      for (const record::Generation& one : *list) last = std::max(last, one.number);
    }
    for (const auto* list : {&position.finished, &position.generations}) {
      for (const record::Generation& generation : *list) {
        // An empty head would match whatever has the inode. A log has ended when its last file was deleted, and the inode may be
        // another's.
        if (generation.file.head_size == 0 || (position.gone && generation.number == last)) continue;
        File file{{.log = log, .generation = generation.number, .end = generation.end}, generation.file};
        for (const auto* others : {&position.finished, &position.generations}) {
          file.owner.newer += static_cast<std::uint32_t>(
              std::ranges::count_if(*others, [&](const record::Generation& other) { return other.number > generation.number; }));
        }
        file.owner.to_be_read = !position.gone && generation.number >= position.resume.generation;
        file.owner.gone = position.gone;
        file.identity.path.clear();
        by_inode_.emplace(generation.file.inode, std::move(file));
      }
    }
  }
}

KnownFiles::Owner KnownFiles::owner(InputFile& file) const {
  Owner found;
  const auto rank = [&](const Owner& owner) {
    return std::tuple(!owner.log.empty(), owner.log == file.path(), owner.to_be_read, owner.end);
  };
  const auto [first, last] = by_inode_.equal_range(file.inode());
  for (auto at = first; at != last; ++at) {
    const File& known = at->second;
    if (auto same = file.is(known.identity, false); !same || !*same) continue;
    if (known.owner.gone && file.status().size < known.identity.check_end) continue;
    if (rank(known.owner) > rank(found)) found = known.owner;
  }
  if (found.log.empty() || file.gzipped()) return found;
  found.end = found.end == 0 && !found.to_be_read ? file.status().size : text_end(file, found.end);
  return found;
}

bool KnownFiles::may_be_of_another(std::uint64_t inode, std::string_view key) const {
  const auto [first, last] = by_inode_.equal_range(inode);
  return std::any_of(first, last, [&](const auto& entry) { return entry.second.owner.log != key; });
}

void KnownFiles::retain(const std::function<bool(const std::string& key)>& keep) {
  std::erase_if(by_inode_, [&](const auto& entry) { return !keep(std::string(entry.second.owner.log)); });
  std::erase_if(logs_, [&](const std::string& key) { return !keep(key); });
}

}  // namespace weir::tail
