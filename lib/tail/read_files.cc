#include "tail/read_files.h"

#include <algorithm>
#include <utility>

namespace weir::tail {
namespace {

std::shared_ptr<const OpenFile> release(InputFile& file) {
  return std::make_shared<const OpenFile>(OpenFile{file.release(), file.path(), file.inode(), file.device(), file.place(), true});
}

}  // namespace

void ReadFiles::add(std::string_view key, std::uint32_t log, std::uint32_t generation, std::shared_ptr<InputFile> file) {
  file->set_read();
  const std::lock_guard lock(mutex_);
  entries_.push_back({std::string(key), log, generation, std::move(file)});
}

void ReadFiles::done(std::uint32_t log, std::uint32_t generation) {
  Entry closed;  // without the lock: that of a deleted file frees its blocks
  const std::lock_guard lock(mutex_);
  const auto is_it = [&](const Entry& one) { return one.log == log && one.generation == generation; };
  const auto found = std::ranges::find_if(entries_, is_it);
  if (found == entries_.end()) return;
  closed = std::move(*found);
  entries_.erase(found);
}

OpenFiles ReadFiles::take(std::string_view key) {
  OpenFiles files;
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const Entry& one) {
    if (one.key != key) return false;
    if (!one.file->given_up()) files.push_back(release(*one.file));
    return true;
  });
  return files;
}

std::map<std::string, OpenFiles> ReadFiles::take_all() {
  std::map<std::string, OpenFiles> logs;
  const std::lock_guard lock(mutex_);
  for (const Entry& one : entries_) {
    if (!one.file->given_up()) logs[one.key].push_back(release(*one.file));
  }
  entries_.clear();
  return logs;
}

}  // namespace weir::tail
