#include "base/file_watch.h"

#include "base/path.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>

namespace weir::base {
namespace {

constexpr std::uint32_t kFolderEvents =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
// Not IN_ATTRIB: who may read a file is no change of its text, but for a file that could not be read before, which a reload asked
// for finds.
constexpr std::uint32_t kFileEvents = IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kMostLinks = 40;  // as the kernel follows

// The names of a path, the next one first.
std::deque<std::string> names_of(std::string_view path) {
  std::deque<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") names.emplace_back(name);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return names;
}

// What a symbolic link says; "" when it is none.
std::string link_at(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  return size <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> paths) : paths_(std::move(paths)) {}

std::vector<FileWatch::State> FileWatch::states() const {
  std::vector<State> states;
  for (const std::string& path : paths_) {
    struct stat status = {};
    State& one = states.emplace_back();
    if (::stat(path.c_str(), &status) != 0) {
      one.error = errno;
      continue;
    }
    one = {status.st_dev,
           status.st_ino,
           static_cast<std::uint64_t>(status.st_size),
           std::int64_t{status.st_mtim.tv_sec} * kSecond + status.st_mtim.tv_nsec,
           0,
           std::int64_t{status.st_ctim.tv_sec} * kSecond + status.st_ctim.tv_nsec};
  }
  return states;
}

void FileWatch::remember() { known_ = states(); }

Duration FileWatch::unsettled(Timestamp now) const {
  Duration wait = 0;
  for (const State& one : known_) {
    const Duration age = now - one.modified;
    if (one.error == 0 && age >= 0 && age < kSettle) wait = std::max(wait, kSettle - age);
  }
  return wait;
}

Result<void> FileWatch::attach(Wake& wake) {
  inotify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) {
    const int cause = errno;
    Error error = io_error(cause, "watch files for changes");
    if (cause == EMFILE) error.hint = "raise fs.inotify.max_user_instances with sysctl";
    return error;
  }
  watch_all();
  // What happened before there was a watch. A file that is still the same one was written in place.
  const std::vector<State> present = states();
  if (present != known_) due_ = 0;
  for (std::size_t i = 0; i < present.size() && i < known_.size(); ++i) {
    const bool in_place = present[i] != known_[i] && present[i].inode == known_[i].inode && present[i].error == 0;
    written_unwatched_ = written_unwatched_ || in_place;
  }
  return wake.watch(inotify_.get());
}

// The folder of each part of the path that may be exchanged, and the file that it leads to.
void FileWatch::watch_path(const std::string& path) {
  std::deque<std::string> names = names_of(absolute_path(path));
  std::string at = "/";
  int links = 0;
  while (!names.empty()) {
    const std::string name = std::move(names.front());
    names.pop_front();
    if (name == "..") {
      at = folder_of(at);
      continue;
    }
    const std::string next = join_path(at, name);
    const std::string target = link_at(next);
    struct stat status = {};
    const bool there = target.empty() && ::lstat(next.c_str(), &status) == 0;
    // A folder that is there and no link does not matter by itself: when it goes, so does what is below it.
    if (!there || names.empty()) watch_folder(at, name);
    if (target.empty()) {
      if (!there) return;
      at = next;
      continue;
    }
    if (++links > kMostLinks) return;
    std::deque<std::string> further = names_of(target);
    names.insert(names.begin(), further.begin(), further.end());
    if (target.front() == '/') at = "/";
  }
  const int file = ::inotify_add_watch(inotify_.get(), at.c_str(), kFileEvents);
  if (file >= 0) files_.insert(file);
}

void FileWatch::watch_folder(const std::string& folder, std::string_view name) {
  const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(), kFolderEvents);
  if (watch >= 0) folders_[watch].emplace(name);
}

// Anew: a part of a path may lead somewhere else by now.
void FileWatch::watch_all() {
  const auto folders = std::exchange(folders_, {});
  const auto files = std::exchange(files_, {});
  for (const std::string& path : paths_) watch_path(path);
  const auto drop = [&](int watch) {
    if (!folders_.contains(watch) && !files_.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);
  };
  for (const auto& [watch, names] : folders) drop(watch);
  std::ranges::for_each(files, drop);
}

void FileWatch::read_events(Monotonic now) {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  bool settled = false, touched = false, written = false;
  while (true) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* const name = buffer.data() + at + sizeof event;
      at += static_cast<ssize_t>(sizeof event + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        touched = written = true;
      } else if (files_.contains(event.wd)) {
        touched = true;
        written = written || (event.mask & (IN_MODIFY | IN_CLOSE_WRITE)) != 0;
      } else if (const auto folder = folders_.find(event.wd); folder != folders_.end()) {
        const bool ours = event.len == 0 || folder->second.contains(std::string_view(name));
        touched = touched || ours;
        settled = settled || (ours && (event.mask & IN_MOVED_TO) != 0);
        written = written || (ours && (event.mask & IN_CREATE) != 0);
      }
    }
  }
  if (!touched) return;
  watch_all();
  due_ = settled ? now : after(now, kSettle);
  if (written) whole_at_ = after(now, kSettle);
}

bool FileWatch::changed(Monotonic now) {
  if (inotify_) read_events(now);
  if (std::exchange(written_unwatched_, false)) whole_at_ = after(now, kSettle);
  if (asked_) {
    asked_ = false;
    due_ = now;
    known_.clear();
  }
  if (now < due_ || now < whole_at_) return false;
  due_ = kNever;
  std::vector<State> current = states();
  if (current == known_) return false;
  known_ = std::move(current);
  return true;
}

}  // namespace weir::base
