#include "tail/watcher.h"

#include "base/unique_fd.h"
#include "tail/siblings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

namespace weir::tail {
namespace {

constexpr std::uint32_t kStructure =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kWritten = IN_MODIFY | IN_ONLYDIR;
// Without inotify (its limits are reached) looking is all there is.
constexpr base::Duration kBlindRescan = base::kSecond;
constexpr std::size_t kIdlePatterns = 256;

}  // namespace

struct Watcher::State {
  struct Folder {
    std::string path;
    int structure = -1, written = -1;  // watch descriptors
    std::vector<std::pair<const Pattern*, std::size_t>> levels;  // which levels of which patterns name its entries
    std::multimap<std::string, std::uint32_t, std::less<>> logs;  // by live name in it, or by the name of what a link leads to
    std::int64_t modified = -1;        // its mtime when it was last listed
    std::uint64_t inode = 0;
    bool fresh = false;                // was not there when watching began, and no log in it was forgotten
  };
  struct Rotated {
    std::uint64_t inode = 0, size = 0;
    base::Timestamp modified = 0;
    friend bool operator==(const Rotated&, const Rotated&) = default;
  };
  struct Log {
    std::string key, path, target;
    std::uint64_t inode = 0, device = 0, size = 0;
    std::weak_ptr<InputFile> file;       // the latest generation
    std::vector<Rotated> rotated;        // what stood beside the live file when it was first seen, or when it was last another one
    bool missing = false;
    std::uint64_t created = 0;  // files of this name that inotify told of and nobody has opened yet
    std::uint64_t opened = 0;   // files whose creation may not have been told yet
    std::uint64_t opened_in = 0;  // `drains` when the latest of them was
    std::uint64_t told = 0;     // the epoch in which `changed` was told; under the mutex
    std::uint64_t noticed = 0;  // the round in which a change was noticed
  };

  State(std::vector<Pattern> wanted_patterns, Selection wanted, WatchTimes watch_times, const base::Clock& the_clock, HeldFiles& held_files)
      : asked(std::move(wanted_patterns)), selection(std::move(wanted)), times(watch_times), clock(the_clock), held(held_files) {}

  const std::vector<Pattern> asked;
  const Selection selection;
  const WatchTimes times;
  const base::Clock& clock;
  HeldFiles& held;
  base::UniqueFd structure, written, wake, ready;
  std::thread thread;

  // Shared.
  std::mutex mutex;
  Changes shared;
  std::vector<std::uint32_t> forgotten;
  std::uint64_t epoch = 1;  // counts take()

  // The thread's own.
  Changes news;
  std::vector<std::unique_ptr<Pattern>> patterns;  // `asked`, from a folder that exists; and those that links added
  std::map<std::string, std::unique_ptr<Folder>, std::less<>> folders;
  std::unordered_map<int, Folder*> by_structure, by_written;
  std::unordered_map<std::uint32_t, Log> logs;
  std::map<std::string, std::uint32_t, std::less<>> by_key;
  std::set<std::string, std::less<>> linked;   // keys that a link led to
  std::set<std::string, std::less<>> failed;   // paths that could not be opened: tried again at each rescan
  std::vector<std::uint32_t> created;          // logs with a count of created files
  std::uint32_t last_log = 0;
  std::uint64_t round = 1;
  std::uint64_t drains = 0;  // how often all structural events were read
  bool initial = true;
  bool blind = false;
  bool root_lost = false;
  bool unsettled = false;  // a file was opened since all structural events were read
  bool deleted = false;  // something lost its name since deleted files were looked at

  // -- finding --

  void anchor(const Pattern& pattern) {
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

  void enter(const std::string& path, const Pattern& pattern, std::size_t depth) {
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

  bool watch(Folder& folder) {
    folder.structure = ::inotify_add_watch(structure.get(), folder.path.c_str(), kStructure);
    if (folder.structure >= 0) {
      by_structure[folder.structure] = &folder;
      return true;
    }
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return cannot_watch(folder.path, errno);
  }

  // True when the folder can be looked at all the same.
  bool cannot_watch(const std::string& path, int cause) {
    if (cause == EACCES) {
      refuse(path, cause);
      return false;
    }
    if (!blind) {
      news.warnings.push_back(fmt::format(
          "cannot watch {}: {}: looking once a second instead; raise fs.inotify.max_user_watches", path,
          cause == ENOSPC ? "the limit of inotify watches is reached" : std::strerror(cause)));
    }
    blind = true;
    return true;
  }

  void list(Folder& folder) {
    struct stat status {};
    if (::stat(folder.path.c_str(), &status) == 0) {
      folder.modified = status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec;
      folder.inode = status.st_ino;
    }
    const bool only_names = std::ranges::all_of(folder.levels, [](const auto& level) { return !level.first->levels[level.second].glob; });
    if (only_names) {  // a folder that is only passed through may be one that must not be listed
      for (std::size_t i = 0; i < folder.levels.size(); ++i) look_at(folder, folder.levels[i].first->levels[folder.levels[i].second].text);
      return;
    }
    auto entries = list_folder(folder.path);
    if (!entries) {
      refuse(folder.path, entries.error().message);
      return;
    }
    const std::string path = folder.path;
    for (const Entry& entry : *entries) {
      if (!folders.contains(path)) return;
      consider(folder, entry.name, entry.folder);
    }
  }

  void look_at(Folder& folder, const std::string& name) {
    struct stat status {};
    const std::string path = join_path(folder.path, name);
    if (::stat(path.c_str(), &status) == 0) {
      consider(folder, name, S_ISDIR(status.st_mode));
    } else if (initial) {
      const auto named = [&](const auto& level) {
        return level.first->named && level.second + 1 == level.first->levels.size() && level.first->levels[level.second].text == name;
      };
      if (errno != ENOENT) refuse(path, errno);
      else if (std::ranges::any_of(folder.levels, named)) news.awaited.push_back(path);
    }
  }

  void consider(Folder& folder, std::string_view name, bool is_folder) {
    if (name.starts_with('.')) return;
    // By index: entering may add to the levels of this very folder.
    for (std::size_t i = 0; i < folder.levels.size(); ++i) {
      const auto [pattern, depth] = folder.levels[i];
      const Pattern::Level& level = pattern->levels[depth];
      if (!level.takes(name)) continue;
      const std::string path = join_path(folder.path, name);
      const bool last = depth + 1 == pattern->levels.size();
      if (last && !is_folder && (!level.glob || live_name_of(name).empty())) add_file(folder, path);
      if (!last && is_folder && wants_folder(selection, path)) enter(path, *pattern, depth + 1);
    }
  }

  void add_file(Folder& folder, const std::string& path) {
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

  // Says that changes of `name` in `folder` are changes of the log.
  void own(Folder& folder, std::string_view name, std::uint32_t number) {
    if (folder.written < 0) {
      folder.written = ::inotify_add_watch(written.get(), folder.path.c_str(), kWritten);
      if (folder.written >= 0) by_written[folder.written] = &folder;
      else if (errno != ENOENT) cannot_watch(folder.path, errno);
    }
    const auto [first, last] = folder.logs.equal_range(name);
    if (std::any_of(first, last, [&](const auto& owned) { return owned.second == number; })) return;
    folder.logs.emplace(name, number);
  }

  // Compares a log's live file with what is known of it.
  void check(std::uint32_t number) {
    Log& log = logs.at(number);
    struct stat status {};
    if (::stat(log.path.c_str(), &status) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) refuse(log.path, errno);
      else if (!log.missing && log.inode != 0) lose(number);
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
    if (!S_ISREG(status.st_mode)) return refuse(log.path, "not a regular file");
    auto opened = InputFile::open(log.path);
    if (!opened) {
      if (::access(log.path.c_str(), R_OK) == 0) return refuse(log.path, opened.error().message);
      if (errno != ENOENT) return refuse(log.path, errno);
      if (!log.missing && log.inode != 0) lose(number);
      log.missing = true;
      return;
    }
    const std::shared_ptr<InputFile> file = std::move(opened).value();
    // A new file is worth more than the oldest of those that nobody else can see any more.
    while (few_descriptors_left() && held.give_up_oldest()) {
    }
    failed.erase(log.path);
    const bool first = log.inode == 0;
    count_opened(log, 1);
    if (first) log.rotated = rotated_files(log.key);
    else if (file->inode() != log.inode || file->device() != log.device) catch_up(number, log, *file);
    log.missing = false;
    log.inode = file->inode();
    log.device = file->device();
    log.size = file->status().size;
    log.file = file;
    held.add(file);
    const auto folder = folders.find(folder_of(log.path));
    const bool rotated = first && !log.rotated.empty() && folder != folders.end() && folder->second->fresh;
    news.events.push_back({number, log.key, file, initial, rotated});
  }

  // Of each file that inotify told, the file or a later one was opened; of those that nobody saw, as when this process was stopped while they
  // came and went, nobody can tell more than their number.
  void count_opened(Log& log, std::uint64_t count) {
    if (log.opened_in + 1 < drains) log.opened = 0;  // their creation was told long ago, or they came by another way
    log.opened += count;
    log.opened_in = drains;
    unsettled = unsettled || count > 0;
  }

  // What told of the creation of a file that was opened is there by now: read at once, it is not taken for that of a later one.
  void settle() {
    while (std::exchange(unsettled, false)) read_structure();
  }

  void count_created(const Folder& folder, std::string_view name) {
    for (auto [owned, end] = folder.logs.equal_range(name); owned != end; ++owned) {
      Log& log = logs.at(owned->second);
      if (join_path(folder.path, name) == (log.target.empty() ? log.path : log.target) && log.created++ == 0) created.push_back(owned->second);
    }
  }

  // All structural events were read. What was created and not opened is told in front of what was opened instead; while the live name is
  // missing, it may be among the rotated files yet.
  void tell_unseen() {
    for (const std::uint32_t number : std::exchange(created, {})) {
      const auto known = logs.find(number);
      if (known == logs.end()) continue;
      Log& log = known->second;
      count_opened(log, 0);
      const std::uint64_t seen = std::min(log.opened, log.created);
      log.opened -= seen;
      log.created -= seen;
      if (log.created == 0) continue;
      const auto next = std::ranges::find_if(news.events, [&](const Changes::Event& event) { return event.log == number && event.file != nullptr; });
      if (log.missing || next == news.events.end()) {
        created.push_back(number);
        continue;
      }
      news.events.insert(next, {number, log.key, nullptr, false, false, std::exchange(log.created, 0)});
    }
  }

  static bool few_descriptors_left() {
    constexpr rlim_t kSpare = 16;  // for folders that are listed, copies that are looked at, and whatever else the process does
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    const base::UniqueFd lowest(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    return !lowest || static_cast<rlim_t>(lowest.get()) + kSpare >= limit.rlim_cur;
  }

  // The live file is another one than before. Usually the former one stands beside it as the newest of its rotated siblings; what stands
  // between them was rotated before anybody looked.
  void catch_up(std::uint32_t number, Log& log, InputFile& live) {
    std::vector<Sibling> siblings = open_siblings(log.key).files;
    std::erase_if(siblings, [&](const Sibling& sibling) { return !sibling.ordered; });
    siblings.resize(find_file(siblings, live));  // what is newer than `live`, rotated meanwhile, is a change that will be told
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
      held.add(siblings[i].file);
      count_opened(log, 1);
      news.events.push_back({number, log.key, siblings[i].file, false});
    }
  }

  static std::vector<Rotated> rotated_files(const std::string& key) {
    std::vector<Rotated> rotated;
    struct stat status {};
    for (const std::string& path : rotations_of(key)) {
      if (::stat(path.c_str(), &status) != 0) continue;
      rotated.push_back({status.st_ino, static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec});
    }
    return rotated;
  }

  void lose(std::uint32_t number) {
    news.events.push_back({number, logs.at(number).key, nullptr, false});
    deleted = true;
  }

  void changed(std::uint32_t number) {
    Log& log = logs.at(number);
    if (log.noticed == round) return;
    log.noticed = round;
    news.changed.push_back(number);
  }

  void refuse(const std::string& path, int cause) { refuse(path, std::strerror(cause)); }
  void refuse(const std::string& path, std::string_view cause) {
    if (failed.insert(path).second) news.unreadable.add(path, cause);
  }

  // -- losing --

  void leave(Folder& folder) {
    for (const auto& [name, number] : folder.logs) {
      const auto log = logs.find(number);
      if (log == logs.end() || log->second.missing) continue;
      log->second.missing = true;
      lose(number);
    }
    for (const auto& [pattern, depth] : folder.levels) root_lost = root_lost || depth == 0;
    if (folder.structure >= 0) {
      ::inotify_rm_watch(structure.get(), folder.structure);
      by_structure.erase(folder.structure);
    }
    if (folder.written >= 0) {
      ::inotify_rm_watch(written.get(), folder.written);
      by_written.erase(folder.written);
    }
    const std::string path = folder.path;
    folders.erase(path);
    // A folder that was renamed takes what is in it along.
    const std::string below = path + "/";
    for (auto next = folders.lower_bound(below); next != folders.end() && next->first.starts_with(below); next = folders.lower_bound(below)) {
      leave(*next->second);
    }
  }

  // Another folder has taken the path: what is watched is not there any more.
  void enter_again(Folder& folder) {
    const auto levels = folder.levels;
    const std::string path = folder.path;
    leave(folder);
    for (const auto& [pattern, depth] : levels) enter(path, *pattern, depth);
  }

  void forget(std::uint32_t number) {
    const auto log = logs.find(number);
    if (log == logs.end() || !log->second.missing) return;
    by_key.erase(log->second.key);
    linked.erase(log->second.key);
    for (const std::string& path : {log->second.path, log->second.target}) {
      const auto folder = folders.find(folder_of(path));
      if (path.empty() || folder == folders.end()) continue;
      folder->second->fresh = false;
      std::erase_if(folder->second->logs, [&](const auto& owned) { return owned.second == number; });
    }
    logs.erase(log);
  }

  // -- looking --

  void rescan(bool everything) {
    std::vector<std::string> paths;
    paths.reserve(folders.size());
    for (const auto& [path, folder] : folders) paths.push_back(path);
    for (const std::string& path : paths) {
      const auto found = folders.find(path);
      if (found == folders.end()) continue;
      struct stat status {};
      if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        leave(*found->second);
      } else if ((found->second->inode != 0 && found->second->inode != status.st_ino) || (everything && is_another(*found->second))) {
        enter_again(*found->second);
      } else if (everything || status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec != found->second->modified) {
        list(*found->second);
      }
    }
    // Files that could not be opened are tried again by check_all(), folders here.
    const std::vector<std::string> again(failed.begin(), failed.end());
    for (const std::string& path : again) {
      const auto parent = folders.find(folder_of(path));
      struct stat status {};
      if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) failed.erase(path);
      if (!S_ISDIR(status.st_mode) || ::access(path.c_str(), R_OK | X_OK) != 0) continue;
      if (const auto self = folders.find(path); self != folders.end()) list(*self->second);
      else if (parent != folders.end()) consider(*parent->second, base_name(path), true);
      failed.erase(path);  // until here it tells that the folder is no new one
    }
    if (patterns.size() > asked.size() + kIdlePatterns) drop_idle_patterns();
    check_all();
    anchor_lost();
  }

  // Whether what is watched is not the folder of this path any more, though it may have its inode: the event that told so may have been
  // one of those that were dropped.
  bool is_another(const Folder& folder) const {
    if (folder.structure < 0) return false;
    const int watched = ::inotify_add_watch(structure.get(), folder.path.c_str(), kStructure);
    if (watched < 0 || watched == folder.structure) return false;
    ::inotify_rm_watch(structure.get(), watched);
    return true;
  }

  // Links come and go with their pods, and so do the patterns that they added.
  void drop_idle_patterns() {
    std::set<const Pattern*> used;
    for (const auto& [path, folder] : folders) {
      for (const auto& [pattern, depth] : folder->levels) used.insert(pattern);
    }
    std::erase_if(patterns, [&](const auto& pattern) { return !used.contains(pattern.get()); });
  }

  void check_all() {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(logs.size());
    for (const auto& [number, log] : logs) numbers.push_back(number);
    for (const std::uint32_t number : numbers) check(number);
  }

  void anchor_lost() {
    if (!std::exchange(root_lost, false)) return;
    for (const Pattern& pattern : asked) anchor(pattern);
  }

  // -- events --

  template <typename Use>
  void read_events(int fd, Use use) {
    alignas(inotify_event) std::array<char, 64 << 10> buffer;
    while (true) {
      const ssize_t size = ::read(fd, buffer.data(), buffer.size());
      if (size <= 0) return;
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        use(*event, event->len > 0 ? std::string_view(event->name) : std::string_view());
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
      // Short: that was all.
      if (static_cast<std::size_t>(size) + sizeof(inotify_event) + NAME_MAX + 1 < buffer.size()) return;
    }
  }

  void read_structure() {
    bool overflow = false;
    ++drains;
    read_events(structure.get(), [&](const inotify_event& event, std::string_view name) {
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        overflow = true;
        return;
      }
      const auto found = by_structure.find(event.wd);
      if (found == by_structure.end()) return;
      Folder& folder = *found->second;
      if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) return leave(folder);
      if (name.empty()) return;
      deleted = deleted || (event.mask & (IN_DELETE | IN_MOVED_TO)) != 0;
      if ((event.mask & (IN_CREATE | IN_ISDIR)) == IN_CREATE) count_created(folder, name);
      for (auto [owned, end] = folder.logs.equal_range(name); owned != end; ++owned) check(owned->second);
      if ((event.mask & IN_ISDIR) != 0 && (event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
        // The folder's own event comes only once nobody holds a file in it any more, and the reader does.
        if (const auto child = folders.find(join_path(folder.path, name)); child != folders.end()) leave(*child->second);
        return;
      }
      if ((event.mask & (IN_CREATE | IN_MOVED_TO)) == 0) return;
      if ((event.mask & IN_ISDIR) != 0) return consider(folder, name, true);
      struct stat status {};  // a link may lead to a folder
      consider(folder, name, ::stat(join_path(folder.path, name).c_str(), &status) == 0 && S_ISDIR(status.st_mode));
    });
    if (overflow) rescan(true);
    anchor_lost();
    tell_unseen();
  }

  void read_written() {
    bool overflow = false;
    int last = -1;
    const Folder* folder = nullptr;
    read_events(written.get(), [&](const inotify_event& event, std::string_view name) {
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        overflow = true;
        return;
      }
      if (event.wd != last) {
        const auto found = by_written.find(event.wd);
        folder = found == by_written.end() ? nullptr : found->second;
        last = event.wd;
      }
      if (folder == nullptr || (event.mask & IN_MODIFY) == 0) return;
      for (auto [owned, end] = folder->logs.equal_range(name); owned != end; ++owned) changed(owned->second);
      if (const std::string_view live = live_name_of(name); !live.empty()) {
        for (auto [owned, end] = folder->logs.equal_range(live); owned != end; ++owned) changed(owned->second);
      }
    });
    if (overflow) check_all();
  }

  // -- the thread --

  void publish() {
    ++round;
    if (news.empty()) return;
    const std::lock_guard lock(mutex);
    const bool first = shared.empty();
    std::ranges::move(news.events, std::back_inserter(shared.events));
    for (const std::uint32_t number : news.changed) {
      const auto log = logs.find(number);
      if (log == logs.end()) continue;
      if (log->second.told == epoch) {
        // Told, and not taken yet: should the file be truncated before the reader comes to it, this is how much it held.
        if (const auto file = log->second.file.lock()) file->note_size(file->status().size);
        continue;
      }
      log->second.told = epoch;
      shared.changed.push_back(number);
    }
    std::ranges::move(news.awaited, std::back_inserter(shared.awaited));
    std::ranges::move(news.warnings, std::back_inserter(shared.warnings));
    for (const auto& [cause, files] : news.unreadable.causes) {
      Unreadable::Cause& entry = shared.unreadable.causes[cause];
      if (entry.count == 0) entry.first = files.first;
      entry.count += files.count;
    }
    shared.complete = shared.complete || news.complete;
    news = {};
    if (first) {
      const std::uint64_t one = 1;
      static_cast<void>(!::write(ready.get(), &one, sizeof one));
    }
  }

  void run() {
    for (const Pattern& pattern : asked) anchor(pattern);
    initial = false;
    settle();
    news.complete = true;
    publish();
    base::Monotonic next_scan = base::after(clock.monotonic(), blind ? kBlindRescan : times.rescan);
    base::Monotonic gathered = base::kNever;  // when what was written is to be told
    base::Monotonic last_told = clock.monotonic() - times.spacing;
    base::Monotonic held_look = base::kNever, last_held_look = clock.monotonic() - times.hold;
    while (true) {
      std::array<pollfd, 3> fds = {{{wake.get(), POLLIN, 0}, {structure.get(), POLLIN, 0}, {written.get(), POLLIN, 0}}};
      const bool gathering = gathered != base::kNever;
      const base::Monotonic until = std::min({next_scan, gathered, held_look});
      const int ready_fds = ::poll(fds.data(), gathering ? 2 : 3, base::poll_timeout(clock.monotonic(), until));
      if (ready_fds < 0 && errno != EINTR) return;
      if (fds[0].revents != 0) return;
      const base::Monotonic now = clock.monotonic();
      {
        std::vector<std::uint32_t> gone;
        {
          const std::lock_guard lock(mutex);
          gone.swap(forgotten);
        }
        for (const std::uint32_t log : gone) forget(log);
      }
      if (ready_fds > 0 && fds[1].revents != 0) read_structure();
      if (!gathering && ready_fds > 0 && fds[2].revents != 0) {
        gathered = std::max(base::after(now, times.gather), base::after(last_told, times.spacing));
      }
      if (now >= gathered) {
        read_written();
        gathered = base::kNever;
        last_told = now;
      }
      if (now >= next_scan) {
        rescan(false);
        next_scan = base::after(now, blind ? kBlindRescan : times.rescan);
        deleted = true;  // one of them may have grown
      }
      settle();
      publish();
      if (std::exchange(deleted, false)) held_look = std::min(held_look, base::after(last_held_look, times.hold));
      if (now >= held_look) {
        held_look = held.enforce() ? base::after(now, times.hold) : base::kNever;
        last_held_look = now;
      }
    }
  }
};

Watcher::Watcher(std::unique_ptr<State> state) : state_(std::move(state)) {}

base::Result<std::unique_ptr<Watcher>> Watcher::start(std::vector<Pattern> patterns, Selection selection, WatchTimes times,
                                                      const base::Clock& clock, HeldFiles& held) {
  auto state = std::make_unique<State>(std::move(patterns), std::move(selection), times, clock, held);
  state->structure.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  state->written.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!state->structure || !state->written) {
    base::Error error = base::io_error(errno, "watch for new lines");
    if (errno == EMFILE) error.hint = "raise fs.inotify.max_user_instances (sysctl)";
    return error;
  }
  state->wake.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  state->ready.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!state->wake || !state->ready) return base::io_error(errno, "watch for new lines");
  State* const raw = state.get();
  raw->thread = std::thread([raw] { raw->run(); });
  return std::unique_ptr<Watcher>(new Watcher(std::move(state)));
}

Watcher::~Watcher() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(state_->wake.get(), &one, sizeof one));
  if (state_->thread.joinable()) state_->thread.join();
}

int Watcher::fd() const { return state_->ready.get(); }

Changes Watcher::take() {
  std::uint64_t count = 0;
  const std::lock_guard lock(state_->mutex);
  static_cast<void>(!::read(state_->ready.get(), &count, sizeof count));
  ++state_->epoch;
  return std::exchange(state_->shared, {});
}

void Watcher::forget(std::uint32_t log) {
  const std::lock_guard lock(state_->mutex);
  state_->forgotten.push_back(log);
}

}  // namespace weir::tail
