#include "tail/stored_logs.h"

#include "base/access.h"
#include "base/path.h"
#include "tail/foreign_start.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace weir::tail {
namespace {

// Whether the folder is empty, and on another disk than the files of the log were: that is not mounted now.
bool awaits_mount(const std::string& folder, const record::LogPosition& position) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return false;
  const auto was_here = [&](const record::Generation& one) { return one.file.device == 0 || one.file.device == status.st_dev; };
  if (position.generations.empty() || std::ranges::any_of(position.generations, was_here)) return false;
  std::error_code error;
  return std::filesystem::is_empty(folder, error) && !error;
}

}  // namespace

void StoredLogs::load(record::Positions positions) {
  tracked_ = true;
  positions_ = std::move(positions);
  // Also of logs that are gone: when a file of that name comes again, it is another one.
  for (auto known = positions_.begin(); known != positions_.end() && !foreign_.empty(); ++known) {
    static_cast<void>(foreign_.take(known->first));
  }
  known_ = KnownFiles(positions_);
  std::erase_if(positions_, [this](const auto& known) {
    if (known.second.gone) gone_.insert(known.first);
    return known.second.gone;
  });
  resumed_ = resumed_ || !positions_.empty();
  record::Positions unnamed;
  for (const auto& [key, position] : positions_) {
    if (!wanted(key)) unnamed.emplace(key, position);
  }
  unnamed_ = KnownFiles(unnamed);
}

void StoredLogs::load_foreign(ForeignPositions positions) {
  foreign_ = std::move(positions);
  resumed_ = !foreign_.empty();
}

StoredLogs::ForeignUse StoredLogs::take_foreign_use() {
  if (std::exchange(foreign_told_, true)) return {};
  ForeignUse use{.logs = foreign_used_};
  for (const auto& [path, position] : foreign_.logs()) {
    if (wanted(path) && !base::may_access(path, F_OK) && errno == ENOENT) ++use.absent;
  }
  return use;
}

// Under which key the position of the log `key` is stored, where that is not its own; "" for none.
std::string StoredLogs::known_as(const std::string& key, InputFile* live) {
  const auto owner_of = [&](InputFile& file) -> std::string {
    std::string stored(unnamed_.owner(file).log);
    if (stored.empty() || base::base_name(stored) != base::base_name(key) || !positions_.contains(stored)) return {};
    struct stat there {
    }, here{};
    if (::stat(stored.c_str(), &there) != 0) return errno == ENOENT || errno == ENOTDIR ? stored : std::string();
    const bool same = ::stat(key.c_str(), &here) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev;
    return same ? stored : std::string();
  };
  if (unnamed_.empty()) return {};
  if (live != nullptr) {
    if (std::string stored = owner_of(*live); !stored.empty()) return stored;
  }
  // The live file may be new since.
  std::vector<std::string> paths = rotations_of(key, listed_);
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    struct stat status {};
    if (::stat(path->c_str(), &status) != 0 || !unnamed_.may_be_of_another(status.st_ino, key)) continue;
    held_.make_room();
    auto file = InputFile::open(*path, &roots_);
    if (!file) continue;
    if (std::string stored = owner_of(**file); !stored.empty()) return stored;
  }
  return {};
}

void StoredLogs::take_over(std::map<std::string, OpenFiles> left) {
  left_ = std::move(left);
  for (auto& [key, files] : left_) {
    if (!tracked_ || gone_.contains(key)) std::erase_if(files, [](const auto& one) { return one->read; });
  }
  std::erase_if(left_, [this](const auto& log) { return log.second.empty() || !wanted(log.first); });
}

OpenFiles StoredLogs::take_left_of(const std::string& key) {
  auto log = left_.extract(key);
  return log.empty() ? OpenFiles() : std::move(log.mapped());
}

// Whether what the former tail had open is all that there is of the log. Also where its name is there, unless all of that was read:
// then the log may have a live file that could not be opened yet.
bool StoredLogs::is_left(const std::string& key) const {
  const auto log = left_.find(key);
  if (log == left_.end()) return false;
  const bool unread = std::ranges::any_of(log->second, [](const auto& one) { return !one->read; });
  return unread || (!base::may_access(key, F_OK) && (errno == ENOENT || errno == ENOTDIR));
}

// Without positions the log is read from its start. Of files that its name does not lead to, the rest is read that the former tail
// had not read.
void StoredLogs::add_left(LogReader& reader, const OpenFiles& left, const InputFile* live) {
  for (const auto& one : left) {
    const bool is_live = live != nullptr && live->inode() == one->inode && live->device() == one->device;
    if (is_live || !one->fd || one->read) continue;
    held_.make_room();
    if (auto file = InputFile::adopt(*one, &roots_)) reader.add_file(std::move(file).value(), one->place);
  }
}

bool StoredLogs::wanted(std::string_view key) const {
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) { return names(pattern, key); }) && wants_file(selection_, key);
}

bool StoredLogs::resume(LogReader& reader, std::shared_ptr<InputFile>& live, Circumstances circumstances) {
  auto stored = positions_.find(reader.key());
  if (stored == positions_.end()) {
    if (std::string key = known_as(reader.key(), live.get()); !key.empty()) {
      stored = positions_.find(key);
      reader.set_stored_key(std::move(key));
    }
  }
  if (stored == positions_.end() && start_at_foreign(reader, live, circumstances)) return true;
  if (stored == positions_.end()) {
    OpenFiles left = take_left_of(reader.key());
    const bool from_beginning = start_.kind == Start::Kind::beginning;
    const bool appeared = circumstances.was_there && resumed_ && from_beginning;
    // Nothing of it became safe.
    const bool unread = !left.empty() && tracked_ && from_beginning;
    if (!circumstances.rotated && !appeared && !unread) {
      add_left(reader, left, live.get());
      return false;
    }
    // Of a log that appeared while nothing ran, the rotated files were never read either.
    tail::resume(reader, {}, std::move(live), followed_, {{}, 0, std::move(left)}, &listed_);
    return true;
  }
  const record::LogPosition position = std::move(stored->second);
  positions_.erase(stored);
  circumstances.others.left = take_left_of(reader.key());
  tail::resume(reader, position, std::move(live), followed_, std::move(circumstances.others), &listed_);
  return true;
}

void StoredLogs::forget(const std::string& key) {
  positions_.erase(key);
  static_cast<void>(take_left_of(key));
}

std::unique_ptr<LogReader> StoredLogs::take_ended(const std::string& key,
                                                  const std::function<std::unique_ptr<LogReader>(std::string)>& new_reader) {
  const auto stored = positions_.find(key);
  if (stored == positions_.end()) return nullptr;
  auto reader = new_reader(key);
  for (const record::Generation& generation : stored->second.generations) reader->add_ended(generation.file);
  reader->set_gone();
  forget(key);
  return reader;
}

bool StoredLogs::start_at_foreign(LogReader& reader, std::shared_ptr<InputFile>& live, Circumstances& circumstances) {
  if (foreign_.empty() || live == nullptr) return false;
  const auto position = foreign_.take(reader.key());
  if (!position) return false;
  ++foreign_used_;
  reader.set_foreign();
  const record::LogPosition start = foreign_start(reader, live, *position, &listed_);
  circumstances.others.left = take_left_of(reader.key());
  circumstances.others.lost_cause = foreign_loss(*live, *position);
  tail::resume(reader, start, std::move(live), followed_, std::move(circumstances.others), &listed_);
  return true;
}

std::vector<std::unique_ptr<LogReader>> StoredLogs::take_absent(
    const std::function<std::unique_ptr<LogReader>(std::string)>& new_reader,
    const std::function<PodFilter::Answer(const std::string&)>& ask) {
  std::vector<std::unique_ptr<LogReader>> readers;
  for (auto next = positions_.begin(); next != positions_.end();) {
    const auto here = next++;
    const std::string& key = here->first;
    const bool left = is_left(key);
    if (!wanted(key) || (!left && !is_absent(key))) continue;
    const PodFilter::Answer answer = ask(key);
    if (answer == PodFilter::Answer::later && !is_absent(key)) continue;
    if (answer == PodFilter::Answer::leave) {
      readers.push_back(take_ended(std::string(key), new_reader));
      continue;
    }
    auto reader = new_reader(key);
    if (!tail::resume(*reader, here->second, nullptr, followed_, {moved_of(key), 0, take_left_of(key)}, &listed_)) {
      reader->set_gone();
      reader->set_missing(left);  // whoever writes to what was deleted may do so for a moment
    }
    readers.push_back(std::move(reader));
    positions_.erase(here);
  }
  // Nothing of these became safe, or nothing is tracked.
  for (auto next = left_.begin(); next != left_.end();) {
    const auto here = next++;
    if (positions_.contains(here->first) || !is_left(here->first)) continue;
    const PodFilter::Answer answer = ask(here->first);
    if (answer == PodFilter::Answer::later && !is_absent(here->first)) continue;
    if (answer == PodFilter::Answer::leave) {
      left_.erase(here);
      continue;
    }
    auto reader = new_reader(here->first);
    std::shared_ptr<InputFile> live;
    resume(*reader, live, {});
    reader->set_gone();
    reader->set_missing(true);
    readers.push_back(std::move(reader));
  }
  return readers;
}

bool StoredLogs::is_absent(const std::string& key) const {
  if (base::may_access(key, F_OK) || (errno != ENOENT && errno != ENOTDIR)) return false;
  const auto stored = positions_.find(key);
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
    return names(pattern, key) && base::may_access(pattern.base, R_OK | X_OK) &&
           (stored == positions_.end() || !awaits_mount(pattern.base, stored->second));
  });
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
