#include "tail/stored_logs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weir::tail {

void StoredLogs::load(record::Positions positions) {
  positions_ = std::move(positions);
  known_ = KnownFiles(positions_);
  std::erase_if(positions_, [](const auto& known) { return known.second.gone; });
  resumed_ = !positions_.empty();
}

bool StoredLogs::wanted(std::string_view key) const {
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) { return names(pattern, key); }) && wants_file(selection_, key);
}

bool StoredLogs::resume(LogReader& reader, std::shared_ptr<InputFile>& live, Circumstances circumstances) {
  const auto stored = positions_.find(reader.key());
  if (stored == positions_.end()) {
    const bool appeared = circumstances.was_there && resumed_ && start_.kind == Start::Kind::beginning;
    if (!circumstances.rotated && !appeared) return false;
    // Of a log that appeared while nothing ran, the rotated files were never read either.
    tail::resume(reader, {}, std::move(live), followed_);
    return true;
  }
  const record::LogPosition position = std::move(stored->second);
  positions_.erase(stored);
  tail::resume(reader, position, std::move(live), followed_, std::move(circumstances.others));
  return true;
}

std::vector<std::unique_ptr<LogReader>> StoredLogs::take_absent(
    const std::function<std::unique_ptr<LogReader>(std::string)>& new_reader) {
  std::vector<std::unique_ptr<LogReader>> readers;
  for (auto next = positions_.begin(); next != positions_.end();) {
    const auto here = next++;
    const std::string& key = here->first;
    if (!wanted(key) || !is_absent(key)) continue;
    auto reader = new_reader(key);
    if (!tail::resume(*reader, here->second, nullptr, followed_, {moved_of(key), 0})) reader->set_gone();
    readers.push_back(std::move(reader));
    positions_.erase(here);
  }
  return readers;
}

bool StoredLogs::is_absent(const std::string& key) const {
  if (::access(key.c_str(), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)) return false;
  return std::ranges::any_of(
      patterns_, [&](const Pattern& pattern) { return names(pattern, key) && ::access(pattern.base.c_str(), R_OK | X_OK) == 0; });
}

void StoredLogs::find_moved(const LogFiles& logs) {
  if (known_.empty()) return;
  for (const auto& [key, paths] : logs) {
    for (const std::string& path : paths) {
      struct stat status {};
      if (::stat(path.c_str(), &status) != 0 || !known_.may_be_of_another(status.st_ino, key)) continue;
      held_.make_room();
      auto file = InputFile::open(path, &roots_);
      if (!file || !is_of_another(**file, key)) continue;
      const auto owner = known_.owner(**file);
      if (owner.to_be_read)
        moved_[std::string(owner.log)].push_back(path);
      else if (static_cast<std::uint64_t>(status.st_size) > owner.end)
        set_free_[path] = owner.end;
    }
  }
}

bool StoredLogs::is_of_another(InputFile& file, std::string_view key) const {
  const auto owner = known_.owner(file);
  return !owner.log.empty() && owner.log != key && wanted(owner.log);
}

std::vector<std::shared_ptr<InputFile>> StoredLogs::moved_of(const std::string& key) const {
  std::vector<std::shared_ptr<InputFile>> files;
  const auto moved = moved_.find(key);
  if (moved == moved_.end()) return files;
  for (const std::string& path : moved->second) {
    held_.make_room();
    if (auto file = InputFile::open(path, &roots_)) files.push_back(std::move(file).value());
  }
  return files;
}

std::optional<std::uint64_t> StoredLogs::own_from(const std::string& path) const {
  const auto known = set_free_.find(path);
  return known == set_free_.end() ? std::nullopt : std::optional(known->second);
}

}  // namespace weir::tail
