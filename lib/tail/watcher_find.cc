#include "base/access.h"
#include "base/path.h"
#include "record/pod_path.h"
#include "tail/watch_machine.h"

#include "tail/siblings.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace weir::tail {
namespace {

using base::base_name;
using base::folder_of;
using base::join_path;
using record::live_name_of;
using record::parse_pod_folder;

constexpr std::uint32_t kStructure =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kWritten = IN_MODIFY | IN_ONLYDIR;
constexpr std::uint32_t kNotWritten = IN_DELETE_SELF | IN_ONLYDIR;  // some event has to be named
constexpr std::size_t kIdlePatterns = 256;

}  // namespace

void WatchMachine::anchor(const Pattern& pattern) {
  auto effective = std::make_unique<Pattern>(pattern);
  struct stat status {};
  while (effective->base != "/" && (::stat(effective->base.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))) {
    effective->levels.insert(effective->levels.begin(), {std::string(base_name(effective->base)), false});
    effective->base = std::string(folder_of(effective->base));
  }
  for (const auto& known : patterns) {
    if (*known == *effective) {
      enter(known->base, *known, 0);
      return;
    }
  }
  patterns.push_back(std::move(effective));
  enter(patterns.back()->base, *patterns.back(), 0);
}

void WatchMachine::enter(const std::string& path, const Pattern& pattern, std::size_t depth) {
  std::unique_ptr<Folder>& slot = folders[path];
  if (slot == nullptr) {
    slot = std::make_unique<Folder>();
    slot->path = path;
    slot->fresh = !initial && !failed.contains(path);
    if (!watch(*slot)) {
      folders.erase(path);
      return;
    }
  }
  const std::pair<const Pattern*, std::size_t> level(&pattern, depth);
  if (std::ranges::find(slot->levels, level) != slot->levels.end()) return;
  slot->levels.push_back(level);
  list(*slot);
}

bool WatchMachine::watch(Folder& folder) {
  folder.structure = ::inotify_add_watch(structure.get(), folder.path.c_str(), kStructure);
  if (folder.structure >= 0) {
    folder.same_structure = std::exchange(by_structure[folder.structure], &folder);
    return true;
  }
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return cannot_watch(folder.path, errno);
}

bool WatchMachine::cannot_watch(const std::string& path, int cause) {
  if (cause == EACCES) {
    refuse(path, cause);
    return false;
  }
  if (!blind) {
    news.warnings.push_back(fmt::format("cannot watch {}: {}: checking once a second instead; raise fs.inotify.max_user_watches",
                                        path, cause == ENOSPC ? "the limit of inotify watches is reached" : std::strerror(cause)));
  }
  blind = true;
  return true;
}

void WatchMachine::list(Folder& folder) {
  struct stat status {};
  if (::stat(folder.path.c_str(), &status) == 0) {
    folder.modified = status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec;
    folder.inode = status.st_ino;
    folder.device = status.st_dev;
  }
  const bool only_names =
      std::ranges::all_of(folder.levels, [](const auto& level) { return !level.first->levels[level.second].glob; });
  if (only_names) {  // a folder that is only passed through may be one that must not be listed
    for (std::size_t i = 0; i < folder.levels.size(); ++i)
      check_name(folder, folder.levels[i].first->levels[folder.levels[i].second].text);
    return;
  }
  auto entries = list_folder(folder.path);
  if (!entries) {
    refuse(folder.path, Cause::of(entries.error()));
    return;
  }
  const std::string path = folder.path;
  for (const Entry& entry : *entries) {
    if (!folders.contains(path)) return;
    consider(folder, entry.name, entry.folder);
  }
}

void WatchMachine::check_name(Folder& folder, const std::string& name) {
  struct stat status {};
  const std::string path = join_path(folder.path, name);
  if (::stat(path.c_str(), &status) == 0) {
    consider(folder, name, S_ISDIR(status.st_mode));
  } else if (initial) {
    const auto named = [&](const auto& level) {
      return level.first->named && level.second + 1 == level.first->levels.size() && level.first->levels[level.second].text == name;
    };
    if (errno != ENOENT)
      refuse(path, errno);
    else if (std::ranges::any_of(folder.levels, named))
      news.awaited.push_back(path);
  }
}

void WatchMachine::consider(Folder& folder, std::string_view name, bool is_folder) {
  if (name.starts_with('.')) return;
  // By index: entering may add to the levels of this very folder.
  for (std::size_t i = 0; i < folder.levels.size(); ++i) {
    const auto [pattern, depth] = folder.levels[i];
    const Pattern::Level& level = pattern->levels[depth];
    if (!level.takes(name)) continue;
    const std::string path = join_path(folder.path, name);
    const bool last = depth + 1 == pattern->levels.size();
    if (last && !is_folder && (!level.glob || live_name_of(name).empty())) add_file(folder, path);
    if (!last && is_folder && wants_folder(selection, path)) enter_found(path, *pattern, depth + 1);
  }
}

bool WatchMachine::leads_out(const std::string& path) const {
  struct stat status {};
  if (roots == nullptr || ::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return false;
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  return !error && !roots->allows_folder(real);
}

void WatchMachine::enter_found(const std::string& path, const Pattern& pattern, std::size_t depth) {
  struct stat status {};
  std::error_code error;
  if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return enter(path, pattern, depth);
  if (leads_out(path)) return refuse(path, Cause::leads_out());
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return;
  // Another pod's folder keeps its own name.
  enter(parse_pod_folder(base_name(real)) || parse_pod_folder(base_name(folder_of(real))) ? real : path, pattern, depth);
}

void WatchMachine::add_file(Folder& folder, const std::string& path) {
  if (!folder.aliases.empty() && is_alias(folder, base_name(path))) return;
  LogFile file = resolve_log(path);
  if (!wants_file(selection, file.key)) return;
  if (file.key != path) {
    // A link into a pod layout: the file there is the log, and its folder is what is to be watched.
    if (by_key.contains(file.key) || !linked.insert(file.key).second) return;
    Pattern pattern;
    pattern.base = std::string(folder_of(file.key));
    pattern.levels.push_back({std::string(base_name(file.key)), false});
    anchor(pattern);
    return;
  }
  if (filter != nullptr && !by_key.contains(file.key) && leaves_alone(path, file.key)) return;
  const auto [known, added] = by_key.try_emplace(file.key, last_log + 1);
  const std::uint32_t number = known->second;
  if (added) ++last_log;
  Log& log = logs[number];
  if (added) {
    log.key = file.key;
    log.path = file.path;
  }
  own(folder, base_name(path), number);
  if (!file.target.empty() && log.target != file.target) {
    log.target = file.target;
    std::unique_ptr<Folder>& slot = folders[std::string(folder_of(file.target))];
    if (slot == nullptr) {
      slot = std::make_unique<Folder>();
      slot->path = std::string(folder_of(file.target));
      watch(*slot);
    }
    own(*slot, base_name(file.target), number);
  }
  check(number);
}

void WatchMachine::watch_written(Folder& folder) {
  if (folder.written >= 0) return;
  folder.written = ::inotify_add_watch(written.get(), folder.path.c_str(), kWritten);
  if (folder.written >= 0)
    folder.same_written = std::exchange(by_written[folder.written], &folder);
  else if (errno != ENOENT)
    cannot_watch(folder.path, errno);
}

void WatchMachine::disown(const Log& log, std::uint32_t number) {
  for (const std::string* path : {&log.path, &log.target}) {
    const auto folder = folders.find(folder_of(*path));
    if (path->empty() || folder == folders.end()) continue;
    std::erase_if(folder->second->logs, [&](const auto& owned) { return owned.second == number; });
  }
}

void WatchMachine::own(Folder& folder, std::string_view name, std::uint32_t number) {
  watch_written(folder);
  const auto [first, last] = folder.logs.equal_range(name);
  if (std::any_of(first, last, [&](const auto& owned) { return owned.second == number; })) return;
  folder.logs.emplace(name, number);
}

bool WatchMachine::arm(Folder& folder) { return ask(folder, kWritten); }
bool WatchMachine::disarm(Folder& folder) { return ask(folder, kNotWritten); }

bool WatchMachine::ask(Folder& folder, std::uint32_t events) {
  const int watch = ::inotify_add_watch(written.get(), folder.path.c_str(), events);
  if (watch < 0 || watch == folder.written) return watch >= 0;
  // The path leads to another folder, which may be one that is watched by another path.
  if (!by_written.contains(watch))
    ::inotify_rm_watch(written.get(), watch);
  else
    ::inotify_add_watch(written.get(), folder.path.c_str(), kWritten);
  return false;
}

void WatchMachine::check(std::uint32_t number) {
  const auto found = logs.find(number);
  if (found == logs.end()) return;  // its file was another log's
  Log& log = found->second;
  struct stat status {};
  if (::stat(log.path.c_str(), &status) != 0) {
    if (errno != ENOENT && errno != ENOTDIR)
      refuse(log.path, errno);
    else if (!log.missing && log.inode != 0)
      lose(number);
    log.missing = true;
    return;
  }
  // The same inode under a name that was gone may be the same file (the kubelet undoes a rename when the runtime cannot reopen) or
  // another one that got the inode: the reader knows, since it holds the file.
  if (status.st_ino == log.inode && status.st_dev == log.device && !log.missing) {
    if (static_cast<std::uint64_t>(status.st_size) != log.size) changed(number);
    log.size = static_cast<std::uint64_t>(status.st_size);
    if (const auto file = log.file.lock()) file->note_size(log.size);
    return;
  }
  if (!S_ISREG(status.st_mode)) return refuse(log.path, Cause{base::Code::io, 0, std::string(kNotRegular)});
  auto opened = open(log.path);
  if (!opened) {
    if (base::may_access(log.path, R_OK)) return refuse(log.path, Cause::of(opened.error()));
    if (errno != ENOENT) return refuse(log.path, errno);
    if (!log.missing && log.inode != 0) lose(number);
    log.missing = true;
    return;
  }
  const std::shared_ptr<InputFile> file = std::move(opened).value();
  failed.erase(log.path);
  const bool first = log.inode == 0;
  const bool same = file->inode() == log.inode && file->device() == log.device;
  if (!same) {
    if (const std::uint32_t owner = owner_of(*file, number); owner != 0) return become_alias(number, owner, *file);
    if (first && !positioned.empty() && claimed(log, *file)) return remove_new(number);
  }
  count_opened(log, 1);
  if (first)
    log.rotated = rotated_files(log.key);
  else if (!same)
    catch_up(number, log, *file);
  take(number, log, file);
  const auto folder = folders.find(folder_of(log.path));
  const bool rotated = first && !log.rotated.empty() && folder != folders.end() && folder->second->fresh;
  news.events.push_back({number, log.key, file, initial, rotated});
  if (!from_end.empty()) news.events.back().from_end = from_end.erase(log.key) > 0;
}

void WatchMachine::take(std::uint32_t number, Log& log, const std::shared_ptr<InputFile>& file) {
  if (file->inode() != log.inode || file->device() != log.device) {
    remember(number, log, log.file.lock());
    if (!log.renamed && !log.formers.empty() && log.formers.back().inode == log.inode) {
      log.formers.back().awaits_rename = true;
      ahead.push_back(number);
    }
    log.renamed = false;
    if (log.inode != 0) unremember(log.inode, number);
    by_inode.emplace(file->inode(), number);
  }
  log.missing = log.finished = false;
  log.inode = file->inode();
  log.device = file->device();
  log.born = file->born();
  log.size = file->status().size;
  log.file = file;
  held.add(file);
}

base::Result<std::shared_ptr<InputFile>> WatchMachine::open(const std::string& path) {
  held.make_room();
  auto opened = InputFile::open(path, roots);
  if (!opened) return std::move(opened).error();
  return std::shared_ptr<InputFile>(std::move(opened).value());
}

void WatchMachine::count_opened(Log& log, std::uint64_t count) {
  log.files.open(count, drains);
  unsettled = unsettled || count > 0;
}

void WatchMachine::settle() {
  while (std::exchange(unsettled, false)) read_structure();
  // Those that still await their rename were deleted, or went to a folder that is not watched.
  for (const std::uint32_t number : std::exchange(ahead, {})) {
    const auto log = logs.find(number);
    if (log == logs.end()) continue;
    for (Former& former : log->second.formers) former.awaits_rename = false;
  }
}

void WatchMachine::count_created(const Folder& folder, std::string_view name) {
  for (auto [owned, end] = folder.logs.equal_range(name); owned != end; ++owned) {
    Log& log = logs.at(owned->second);
    if (join_path(folder.path, name) == (log.target.empty() ? log.path : log.target) && log.files.create())
      created.push_back(owned->second);
  }
}

void WatchMachine::report_unopened() {
  for (const std::uint32_t number : std::exchange(created, {})) {
    const auto known = logs.find(number);
    if (known == logs.end()) continue;
    Log& log = known->second;
    if (log.files.settle(drains) == 0) continue;
    const auto next = std::ranges::find_if(
        news.events, [&](const Changes::Event& event) { return event.log == number && event.file != nullptr; });
    if (log.missing || next == news.events.end()) {
      created.push_back(number);
      continue;
    }
    news.events.insert(next, {number, log.key, nullptr, false, false, log.files.take_unopened()});
  }
}

void WatchMachine::catch_up(std::uint32_t number, Log& log, InputFile& live) {
  std::vector<Sibling> siblings = open_siblings(log.key, roots, &held, &listed).files;
  std::erase_if(siblings, [&](const Sibling& sibling) { return !sibling.ordered; });
  siblings.resize(find_file(siblings, live));  // what is newer than `live`, rotated meanwhile, is a change that will be reported
  // All that is newer than the former one, and than what stood beside that.
  std::size_t known = 0;
  if (const auto latest = log.file.lock()) {
    if (const std::size_t at = find_file(siblings, *latest); at < siblings.size()) known = at + 1;
  }
  std::vector<Rotated> rotated;
  for (std::size_t i = 0; i < siblings.size(); ++i) {
    const InputFile::Status status = siblings[i].file->status();
    rotated.push_back({siblings[i].file->inode(), status.size, status.modified});
    if (std::ranges::find(log.rotated, rotated.back()) != log.rotated.end()) known = std::max(known, i + 1);
  }
  log.rotated = std::move(rotated);
  for (std::size_t i = known; i < siblings.size(); ++i) {
    if (has_or_had(log, *siblings[i].file)) continue;
    held.add(siblings[i].file);
    count_opened(log, 1);
    remember(number, log, siblings[i].file);
    news.events.push_back({number, log.key, siblings[i].file, false});
  }
}

auto WatchMachine::rotated_files(const std::string& key) -> std::vector<Rotated> {
  std::vector<Rotated> rotated;
  struct stat status {};
  for (const std::string& path : rotations_of(key, listed)) {
    if (::stat(path.c_str(), &status) != 0) continue;
    rotated.push_back({status.st_ino, static_cast<std::uint64_t>(status.st_size),
                       status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec});
  }
  return rotated;
}

void WatchMachine::lose(std::uint32_t number) {
  news.events.push_back({number, logs.at(number).key, nullptr, false});
  deleted = true;
}

void WatchMachine::changed(std::uint32_t number) {
  Log& log = logs.at(number);
  if (log.noticed == round) return;
  log.noticed = round;
  news.changed.push_back(number);
}

void WatchMachine::refuse(const std::string& path, const Cause& cause) {
  if (failed.insert(path).second) news.unreadable.add(path, cause);
}

namespace {

// Takes `folder` out of the list of those with the watch. True when it was the last.
template <typename Folders, typename Folder>
bool unlink_same(Folders& by_watch, int watch, Folder* folder, Folder* Folder::*next) {
  const auto found = by_watch.find(watch);
  if (found == by_watch.end()) return false;
  Folder** at = &found->second;
  while (*at != nullptr && *at != folder) at = &((*at)->*next);
  if (*at != nullptr) *at = folder->*next;
  if (found->second != nullptr) return false;
  by_watch.erase(found);
  return true;
}

}  // namespace

void WatchMachine::leave(Folder& folder) {
  for (const auto& [name, number] : folder.logs) {
    const auto log = logs.find(number);
    if (log == logs.end() || log->second.missing) continue;
    log->second.missing = true;
    lose(number);
  }
  for (const auto& [pattern, depth] : folder.levels) root_lost = root_lost || depth == 0;
  while (!folder.aliases.empty()) drop_alias(folder, std::string(folder.aliases.begin()->first));
  // What another path leads to as well is watched as long as that does.
  if (folder.structure >= 0 && unlink_same(by_structure, folder.structure, &folder, &Folder::same_structure)) {
    ::inotify_rm_watch(structure.get(), folder.structure);
  }
  if (folder.written >= 0 && unlink_same(by_written, folder.written, &folder, &Folder::same_written)) {
    ::inotify_rm_watch(written.get(), folder.written);
  }
  const std::string path = folder.path;
  folders.erase(path);
  // A folder that was renamed takes what is in it along.
  const std::string below = path + "/";
  for (auto next = folders.lower_bound(below); next != folders.end() && next->first.starts_with(below);
       next = folders.lower_bound(below)) {
    leave(*next->second);
  }
}

void WatchMachine::enter_again(Folder& folder) {
  const auto levels = folder.levels;
  const std::string path = folder.path;
  leave(folder);
  for (const auto& [pattern, depth] : levels) enter(path, *pattern, depth);
}

void WatchMachine::forget(std::uint32_t number) {
  const auto log = logs.find(number);
  if (log == logs.end() || !log->second.missing) return;
  log->second.finished = true;
  if (!log->second.aliases.empty()) return;  // or its file would be taken for a new one
  unremember(log->second.inode, number);
  for (const Former& former : log->second.formers) unremember(former.inode, number);
  by_key.erase(log->second.key);
  linked.erase(log->second.key);
  if (const auto folder = folders.find(folder_of(log->second.path)); folder != folders.end()) folder->second->fresh = false;
  disown(log->second, number);
  logs.erase(log);
}

void WatchMachine::check_mounts() {
  std::vector<std::string> bases;
  for (const auto& [path, folder] : folders) {
    if (std::ranges::any_of(folder->levels, [](const auto& level) { return level.second == 0; })) bases.push_back(path);
  }
  for (const std::string& path : bases) {
    const auto found = folders.find(path);
    if (found == folders.end() || found->second->inode == 0) continue;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
      leave(*found->second);
    else if (!is_at(*found->second, status))
      enter_again(*found->second);
  }
  anchor_lost();
}

bool WatchMachine::is_at(const Folder& folder, const struct stat& status) {
  return folder.inode == status.st_ino && folder.device == status.st_dev;
}

void WatchMachine::rescan(bool everything) {
  std::vector<std::string> paths;
  paths.reserve(folders.size());
  for (const auto& [path, folder] : folders) paths.push_back(path);
  for (const std::string& path : paths) {
    const auto found = folders.find(path);
    if (found == folders.end()) continue;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
      leave(*found->second);
    } else if (is_at(*found->second, status) ? everything && is_another(*found->second) : found->second->inode != 0) {
      enter_again(*found->second);
    } else if (check_aliases(*found->second);
               everything || status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec != found->second->modified) {
      list(*found->second);
    }
  }
  // Files that could not be opened are tried again by check_all(), folders here.
  const std::vector<std::string> again(failed.begin(), failed.end());
  for (const std::string& path : again) {
    const auto parent = folders.find(folder_of(path));
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) failed.erase(path);
    if (!S_ISDIR(status.st_mode) || !base::may_access(path, R_OK | X_OK) || leads_out(path)) continue;
    if (const auto self = folders.find(path); self != folders.end())
      list(*self->second);
    else if (parent != folders.end())
      consider(*parent->second, base_name(path), true);
    failed.erase(path);  // until here it says that the folder is not a new one
  }
  check_left_alone();
  if (patterns.size() > asked.size() + kIdlePatterns) drop_idle_patterns();
  check_all();
  anchor_lost();
}

bool WatchMachine::is_another(const Folder& folder) const {
  if (folder.structure < 0) return false;
  const int watched = ::inotify_add_watch(structure.get(), folder.path.c_str(), kStructure);
  if (watched < 0 || watched == folder.structure) return false;
  if (!by_structure.contains(watched)) ::inotify_rm_watch(structure.get(), watched);
  return true;
}

void WatchMachine::drop_idle_patterns() {
  std::set<const Pattern*> used;
  for (const auto& [path, folder] : folders) {
    for (const auto& [pattern, depth] : folder->levels) used.insert(pattern);
  }
  std::erase_if(patterns, [&](const auto& pattern) { return !used.contains(pattern.get()); });
}

void WatchMachine::check_all() {
  std::vector<std::uint32_t> numbers;
  numbers.reserve(logs.size());
  for (const auto& [number, log] : logs) numbers.push_back(number);
  for (const std::uint32_t number : numbers) check(number);
}

void WatchMachine::anchor_lost() {
  if (!std::exchange(root_lost, false)) return;
  for (const Pattern& pattern : asked) anchor(pattern);
}

}  // namespace weir::tail
