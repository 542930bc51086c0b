#include "tail/pattern.h"

#include "base/path.h"
#include "record/pod_path.h"
#include "tail/rotation.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <memory>
#include <utility>

namespace weir::tail {
namespace {

using base::absolute_path;
using base::base_name;
using base::folder_of;
using base::join_path;
using record::live_name_of;
using record::parse_pod_folder;
using record::parse_pod_path;

bool has_glob(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

std::vector<Pattern::Level> levels_of(std::string_view path) {
  std::vector<Pattern::Level> levels;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (!name.empty()) levels.push_back({std::string(name), has_glob(name)});
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return levels;
}

// Oldest first. Some count the other way round (log4j): the files' own times decide, those of compressed ones if there are no
// others, since a compression may set them.
template <typename RotationOf>
void sort_rotations(std::vector<std::string>& paths, RotationOf rotation) {
  std::ranges::sort(paths, [&](const std::string& a, const std::string& b) { return rotation_before(rotation(a), rotation(b)); });
  if (!std::ranges::all_of(paths, [&](const std::string& path) { return is_rotation_count(rotation(path)); })) return;
  const bool compressed = std::ranges::all_of(paths, [](const std::string& path) { return path.ends_with(".gz"); });
  int rising = 0, falling = 0;
  std::pair<std::time_t, long> before;
  for (const std::string& path : paths) {
    struct stat status {};
    if (path.ends_with(".gz") != compressed || ::stat(path.c_str(), &status) != 0) continue;
    const std::pair<std::time_t, long> time(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    if (before.first != 0) {
      rising += before < time ? 1 : 0;
      falling += before > time ? 1 : 0;
    }
    before = time;
  }
  if (falling > rising) std::ranges::reverse(paths);
}

class Finder {
 public:
  Finder(const Selection& selection, Unreadable& unreadable) : selection_(selection), unreadable_(unreadable) {}

  void walk(const Pattern& pattern, const std::string& folder, std::size_t depth) {
    const Pattern::Level& level = pattern.levels[depth];
    const bool last = depth + 1 == pattern.levels.size();
    if (!level.glob) {
      const std::string path = join_path(folder, level.text);
      struct stat status {};
      if (::stat(path.c_str(), &status) != 0) {
        if (pattern.named || errno != ENOENT) unreadable_.add(path, Cause::of_system(errno));
      } else if (last && (pattern.named || !S_ISDIR(status.st_mode))) {
        add(path);
      } else if (!last && S_ISDIR(status.st_mode) && wants_folder(selection_, path)) {
        walk(pattern, path, depth + 1);
      }
      return;
    }
    auto entries = list(folder);
    for (const Entry& entry : entries) {
      if (!level.takes(entry.name)) continue;
      const std::string path = join_path(folder, entry.name);
      if (last && !entry.folder) add(path);
      if (!last && entry.folder && wants_folder(selection_, path)) walk(pattern, path, depth + 1);
    }
  }

  std::map<std::string, std::vector<std::string>> take() {
    for (auto& [key, files] : found_) {
      std::ranges::sort(files);
      files.erase(std::unique(files.begin(), files.end()), files.end());
      const auto live = std::stable_partition(files.begin(), files.end(),
                                              [](const std::string& file) { return !live_name_of(base_name(file)).empty(); });
      std::vector<std::string> rotations(files.begin(), live);
      sort_rotations(rotations, [&, &key = key](const std::string& path) { return rotation_of(base_name(path), base_name(key)); });
      std::ranges::move(rotations, files.begin());
    }
    return std::move(found_);
  }

 private:
  std::vector<Entry> list(const std::string& folder) {
    auto entries = list_folder(folder);
    if (entries) return std::move(entries).value();
    if (!failed_.contains(folder)) unreadable_.add(folder, Cause::of(entries.error()));
    failed_[folder] = true;
    return {};
  }
  void add(const std::string& path) {
    const LogFile log = resolve_log(path);
    if (!wants_file(selection_, log.key)) return;
    const std::string_view live = live_name_of(base_name(log.key));
    const std::string key = live.empty() ? log.key : join_path(folder_of(log.key), live);
    found_[key].push_back(log.path);
  }

  const Selection& selection_;
  Unreadable& unreadable_;
  std::map<std::string, std::vector<std::string>> found_;
  std::map<std::string, bool> failed_;
};

// The names of rotated files begin with that of the live one.
std::span<const Entry> with_prefix(std::span<const Entry> sorted, std::string_view prefix) {
  const auto first = std::ranges::lower_bound(sorted, prefix, {}, [](const Entry& entry) { return std::string_view(entry.name); });
  const auto last = std::find_if_not(first, sorted.end(), [&](const Entry& entry) { return entry.name.starts_with(prefix); });
  return {first, last};
}

std::vector<std::string> rotations_beside(const std::string& live_path, ListedFolder& listed) {
  std::vector<std::string> rotations;
  const std::string_view live = base_name(live_path);
  auto entries = listed.list(std::string(folder_of(live_path)));
  if (!entries) return rotations;
  for (const Entry& entry : with_prefix(*entries, live)) {
    if (entry.folder || entry.name.ends_with(".tmp")) continue;
    if (live_name_of(entry.name) != live && !is_rotation_order(rotation_of(entry.name, live))) continue;
    rotations.push_back(join_path(folder_of(live_path), entry.name));
  }
  sort_rotations(rotations, [&](const std::string& path) { return rotation_of(base_name(path), live); });
  return rotations;
}

}  // namespace

bool Pattern::Level::takes(std::string_view name) const { return glob ? matches_glob(text, name) : name == text; }

bool operator==(const Pattern& a, const Pattern& b) {
  const auto same = [](const Pattern::Level& x, const Pattern::Level& y) { return x.text == y.text && x.glob == y.glob; };
  return a.base == b.base && a.named == b.named && std::ranges::equal(a.levels, b.levels, same);
}

std::vector<Pattern> patterns_of(std::string_view argument) {
  const std::string path = absolute_path(argument);
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 || !has_glob(path)) {
    const bool folder =
        S_ISDIR(status.st_mode) || argument.ends_with('/') || path == "/var/log/pods" || path == "/var/log/containers";
    if (!folder) return {{std::string(folder_of(path)), {{std::string(base_name(path)), false}}, true}};
    std::vector<Pattern> patterns;
    patterns.push_back({path, {{"*.log", true}}, false});
    if (parse_pod_folder(base_name(path))) patterns.push_back({path, {{"*", true}, {"*.log", true}}, false});
    // Also in a folder that looks like a pod's or a container's: any path may happen to hold two underscores.
    patterns.push_back({path, {{"*_*_*", true}, {"*", true}, {"*.log", true}}, false});
    return patterns;
  }
  std::size_t end = path.find_first_of("*?[");
  end = path.rfind('/', end);
  Pattern pattern;
  pattern.base = end == 0 ? "/" : path.substr(0, end);
  pattern.levels = levels_of(std::string_view(path).substr(end));
  return {std::move(pattern)};
}

bool names(const Pattern& pattern, std::string_view path) {
  const std::string_view base = pattern.base == "/" ? std::string_view() : std::string_view(pattern.base);
  if (!path.starts_with(base) || path.size() <= base.size() || path[base.size()] != '/') return false;
  const std::vector<Pattern::Level> parts = levels_of(path.substr(base.size()));
  return std::ranges::equal(pattern.levels, parts,
                            [](const Pattern::Level& level, const Pattern::Level& part) { return level.takes(part.text); });
}

namespace {

base::Result<std::vector<Entry>> read_folder(const std::string& path, bool also_hidden) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (folder == nullptr) return base::io_error(errno, "list " + path);
  std::vector<Entry> entries;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') && (!also_hidden || name == "." || name == "..")) continue;
    Entry& added = entries.emplace_back();
    added.name = name;
    added.folder = entry->d_type == DT_DIR;
    added.regular = entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN;
    added.inode = entry->d_ino;
    if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
      struct stat status {};
      added.folder = ::fstatat(::dirfd(folder.get()), entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
    }
  }
  std::ranges::sort(entries, {},
                    [](const Entry& entry) { return std::pair(entry.name.starts_with('.'), std::string_view(entry.name)); });
  return entries;
}

}  // namespace

base::Result<std::vector<Entry>> list_folder(const std::string& path) { return read_folder(path, false); }

auto ListedFolder::look(const std::string& path) -> base::Result<const Listing*> {
  // What a file system's clock takes for one moment is shorter.
  constexpr base::Duration kQuiet = base::kSecond;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return base::io_error(errno, "list " + path);
  const auto time = [](const timespec& at) { return at.tv_sec * base::kSecond + at.tv_nsec; };
  const Seen now = {status.st_ino, status.st_dev, time(status.st_mtim), time(status.st_ctim)};
  if (kept_[0].path != path) std::swap(kept_[0], kept_[1]);
  Listing& listing = kept_[0];
  if (listing.reusable && listing.path == path && now == listing.seen) return &listing;
  listing.reusable = false;
  const base::Timestamp begun = clock_.wall();
  auto entries = read_folder(path, true);
  if (!entries) return std::move(entries).error();
  ++listings_;
  listing.path = path;
  listing.entries = *std::move(entries);
  const auto hidden = [](const Entry& entry) { return entry.name.starts_with('.'); };
  listing.visible = static_cast<std::size_t>(std::ranges::find_if(listing.entries, hidden) - listing.entries.begin());
  listing.by_inode.clear();
  for (std::size_t i = 0; i < listing.entries.size(); ++i) {
    if (listing.entries[i].regular) listing.by_inode.push_back(static_cast<std::uint32_t>(i));
  }
  std::ranges::sort(listing.by_inode, {}, [&](std::uint32_t at) { return std::pair(listing.entries[at].inode, at); });
  listing.seen = now;
  listing.reusable = begun - std::max(now.modified, now.changed) > kQuiet;
  return &listing;
}

base::Result<std::span<const Entry>> ListedFolder::list(const std::string& path) {
  auto listing = look(path);
  if (!listing) return std::move(listing).error();
  return std::span<const Entry>((*listing)->entries).first((*listing)->visible);
}

std::vector<std::string> ListedFolder::names_of(const std::string& path, std::uint64_t inode) {
  std::vector<std::string> names;
  const auto listing = look(path);
  if (!listing) return names;
  const std::vector<Entry>& entries = (*listing)->entries;
  for (const std::uint32_t at :
       std::ranges::equal_range((*listing)->by_inode, inode, {}, [&](std::uint32_t one) { return entries[one].inode; }))
    names.push_back(entries[at].name);
  return names;
}

bool wants_folder(const Selection& selection, std::string_view path) {
  if (const auto pod = parse_pod_folder(base_name(path))) return selection.wants_pod(*pod);
  if (const auto pod = parse_pod_folder(base_name(folder_of(path)))) {
    return selection.wants_pod(*pod) && selection.wants_container(base_name(path));
  }
  return true;
}

bool wants_file(const Selection& selection, std::string_view path) { return selection.wants(parse_pod_path(path)); }

LogFile resolve_log(const std::string& path) {
  LogFile log{path, path, {}};
  std::string at = path;
  std::array<char, 4096> buffer{};
  constexpr int kLinks = 8;
  for (int i = 0; i < kLinks; ++i) {
    const ssize_t size = ::readlink(at.c_str(), buffer.data(), buffer.size());
    if (size <= 0) break;
    const std::string_view to(buffer.data(), static_cast<std::size_t>(size));
    at = to.starts_with('/') ? absolute_path(to) : absolute_path(std::string(folder_of(at)) + "/" + std::string(to));
    log.target = at;
    const auto pod = parse_pod_path(at);
    if (pod && !pod->uid.empty()) {  // also from another pod's folder: whoever put a link there must not pass lines off as its own
      log.key = log.path = at;
      log.target.clear();
    }
  }
  return log;
}

std::map<std::string, std::vector<std::string>> find_files(const std::vector<Pattern>& patterns, const Selection& selection,
                                                           Unreadable& unreadable) {
  Finder finder(selection, unreadable);
  for (const Pattern& pattern : patterns) finder.walk(pattern, pattern.base, 0);
  return finder.take();
}

std::vector<std::string> inner_rotations_of(const std::string& key, ListedFolder& listed) {
  std::vector<std::string> rotations;
  const std::string_view live = base_name(key);
  const std::size_t dot = live.rfind('.');
  if (parse_pod_path(key) || dot == std::string_view::npos || dot == 0) return rotations;
  auto entries = listed.list(std::string(folder_of(key)));
  if (!entries) return rotations;
  for (const Entry& entry : with_prefix(*entries, live.substr(0, dot))) {
    if (!entry.folder && !inner_rotation_of(entry.name, live).empty()) rotations.push_back(join_path(folder_of(key), entry.name));
  }
  sort_rotations(rotations, [&](const std::string& path) { return inner_rotation_of(base_name(path), live); });
  return rotations;
}

std::vector<std::string> rotations_of(const std::string& key, ListedFolder& listed) {
  std::vector<std::string> rotations = rotations_beside(key, listed);
  // docker rotates the file that the kubelet's link leads to, in a folder of its own.
  if (const std::string target = resolve_log(key).target; !target.empty())
    std::ranges::move(rotations_beside(target, listed), std::back_inserter(rotations));
  return rotations;
}

std::vector<std::string> rotations_of(const std::string& key) {
  ListedFolder listed;
  return rotations_of(key, listed);
}

}  // namespace weir::tail
