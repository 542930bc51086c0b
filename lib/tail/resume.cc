#include "tail/resume.h"

#include "tail/pattern.h"

#include <limits>
#include <utility>
#include <vector>

namespace weir::tail {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr auto kAnyTime = std::numeric_limits<base::Timestamp>::min();

// The file that `stored` describes, from `first` on: the same inode before a copy. A file that cannot be read matches nothing.
std::size_t find(const std::vector<std::unique_ptr<InputFile>>& chain, std::size_t first, const record::FileIdentity& stored) {
  for (const bool by_content : {false, true}) {
    for (std::size_t i = first; i < chain.size(); ++i) {
      if (auto same = chain[i]->is(stored, by_content); same && *same) return i;
    }
  }
  return kNone;
}

// Whether the text of the file is CRI: each of its lines has a time, and nobody truncates such a file.
bool is_cri(InputFile& file) {
  std::string head(512, '\0');
  auto got = file.read(0, head.data(), head.size());
  return got && detect_format(std::string_view(head).substr(0, *got)) == Format::cri;
}

}  // namespace

void resume(LogReader& reader, const record::LogPosition& position, std::unique_ptr<InputFile> live) {
  std::vector<std::unique_ptr<InputFile>> chain;
  for (const std::string& path : rotations_of(reader.key())) {
    auto file = InputFile::open(path);
    // Gone or unreadable by now: what it held is a gap, if it was to be read.
    if (file && (live == nullptr || (*file)->inode() != live->inode())) chain.push_back(std::move(file).value());
  }
  if (live != nullptr) chain.push_back(std::move(live));

  std::size_t next = 0;  // files before it are older than what was found, or handed over
  bool found_one = false;
  for (const record::Generation& generation : position.generations) {
    if (generation.number < position.resume.generation) continue;
    const std::uint64_t offset = generation.number == position.resume.generation ? position.resume.offset : 0;
    const std::size_t at = find(chain, next, generation.file);
    if (at == kNone) {
      reader.add_lost(generation.file, offset, generation.done);
      continue;
    }
    for (; found_one && next < at; ++next) reader.add_file(std::move(chain[next]));
    next = at + 1;
    found_one = true;
    InputFile& file = *chain[at];
    if (!file.gzipped() && file.status().size < offset) {
      // Cut: by a crash of the node, when it is CRI, which is written on from there; or truncated and begun again.
      const std::uint64_t size = file.status().size;
      reader.add_lost(generation.file, offset, true);
      reader.add_file(std::move(chain[at]), is_cri(file) ? size : 0);
      continue;
    }
    reader.add_file(std::move(chain[at]), offset, kAnyTime, generation.file);
  }
  for (; next < chain.size(); ++next) reader.add_file(std::move(chain[next]));
}

}  // namespace weir::tail
