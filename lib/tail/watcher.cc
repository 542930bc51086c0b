#include "base/path.h"
#include "base/thread.h"
#include "record/pod_path.h"
#include "tail/watch_machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <iterator>
#include <utility>

namespace weir::tail {
namespace {

using base::join_path;
using record::live_name_of;

// Without inotify (its limits are reached) looking is all there is.
constexpr base::Duration kBlindRescan = base::kSecond;

// Of a log between two reports: more events cost more than a check of the file.
constexpr std::size_t kManyEvents = 8;

}  // namespace

template <typename Use>
void WatchMachine::read_events(int fd, Use use) {
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

void WatchMachine::take_structure(Folder& folder, std::uint32_t mask, std::uint32_t cookie, std::string_view name) {
  if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) return leave(folder);
  if (name.empty()) return;
  deleted = deleted || (mask & (IN_DELETE | IN_MOVED_TO)) != 0;
  if ((mask & (IN_CREATE | IN_ISDIR)) == IN_CREATE) count_created(folder, name);
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0 && !folder.aliases.empty()) drop_alias(folder, name);
  for (auto [owned, end] = folder.logs.equal_range(name); owned != end;) {
    const std::uint32_t number = owned++->second;  // which may turn out to be no log
    if ((mask & (IN_MOVED_FROM | IN_ISDIR)) == IN_MOVED_FROM) moving[cookie] = number;
    check(number);
  }
  if ((mask & IN_ISDIR) != 0 && (mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
    // The folder's own event comes only once nobody holds a file in it any more, and the reader does.
    if (const auto child = folders.find(join_path(folder.path, name)); child != folders.end()) leave(*child->second);
    return;
  }
  if ((mask & (IN_CREATE | IN_MOVED_TO)) == 0) return;
  if ((mask & IN_ISDIR) != 0) return consider(folder, name, true);
  if ((mask & IN_MOVED_TO) != 0 && !moving.empty()) {
    if (const auto log = moving.find(cookie); log != moving.end()) {
      const std::uint32_t number = log->second;
      moving.erase(log);
      moved(number, folder, name);
    }
  }
  struct stat status {};  // a link may lead to a folder
  consider(folder, name, ::stat(join_path(folder.path, name).c_str(), &status) == 0 && S_ISDIR(status.st_mode));
}

void WatchMachine::read_structure() {
  bool overflow = false;
  ++drains;
  constexpr std::size_t kMoving = 64;  // those that went to a folder that is not watched
  if (moving.size() > kMoving) moving.clear();
  read_events(structure.get(), [&](const inotify_event& event, std::string_view name) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      overflow = true;
      return;
    }
    const auto found = by_structure.find(event.wd);
    if (found == by_structure.end()) return;
    if (found->second->same_structure == nullptr) return take_structure(*found->second, event.mask, event.cookie, name);
    // By path, since what is done for one of them may be the end of another. The one that was found first names what is in it.
    std::vector<std::string> paths;
    for (const Folder* folder = found->second; folder != nullptr; folder = folder->same_structure) paths.push_back(folder->path);
    for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
      if (const auto folder = folders.find(*path); folder != folders.end())
        take_structure(*folder->second, event.mask, event.cookie, name);
    }
  });
  if (overflow) rescan(true);
  anchor_lost();
  report_unopened();
}

void WatchMachine::read_written() {
  bool overflow = false;
  int last = -1;
  Folder* folder = nullptr;
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
    if ((event.mask & IN_MODIFY) == 0) return;
    for (Folder* one = folder; one != nullptr; one = one->same_written) {
      if (one->events++ == 0) written_to.push_back(one);
      for (auto [owned, end] = one->logs.equal_range(name); owned != end; ++owned) changed(owned->second);
      if (const std::string_view live = live_name_of(name); !live.empty()) {
        for (auto [owned, end] = one->logs.equal_range(live); owned != end; ++owned) changed(owned->second);
      }
      if (!one->aliases.empty()) alias_written(*one, name);
    }
  });
  for (Folder* const one : std::exchange(written_to, {})) {
    const std::size_t events = std::exchange(one->events, 0);
    if (one->logs.empty() || !one->aliases.empty() || by_written.at(one->written)->same_written != nullptr) continue;
    if (events >= kManyEvents * one->logs.size() && disarm(*one)) busy.push_back(one->written);
  }
  if (overflow) check_all();
}

void WatchMachine::check_busy() {
  std::erase_if(busy, [&](int watch) {
    const auto found = by_written.find(watch);
    if (found == by_written.end()) return true;
    Folder& folder = *found->second;
    bool read = false;
    for (const auto& [name, number] : folder.logs) {
      Log& log = logs.at(number);
      if (const auto file = log.file.lock()) {
        const std::uint64_t place = file->place();
        read = read || place != std::exchange(log.place, place);
      }
      changed(number);
    }
    if (!read) arm(folder);  // before the logs are read once more, so that nothing is missed
    return !read;
  });
}

void WatchMachine::publish() {
  ++round;
  if (news.empty()) return;
  const std::lock_guard lock(mutex);
  const bool first = shared.empty();
  std::ranges::move(news.events, std::back_inserter(shared.events));
  for (const std::uint32_t number : news.changed) {
    const auto log = logs.find(number);
    if (log == logs.end()) continue;
    if (log->second.published == epoch) {
      // Published, and not taken yet: should the file be truncated before the reader comes to it, this is how much it held.
      if (const auto file = log->second.file.lock()) file->note_size(file->status().size);
      continue;
    }
    log->second.published = epoch;
    shared.changed.push_back(number);
  }
  std::ranges::move(news.awaited, std::back_inserter(shared.awaited));
  shared.left_alone = shared.left_alone || news.left_alone;
  std::ranges::move(news.warnings, std::back_inserter(shared.warnings));
  shared.unreadable.add(news.unreadable);
  shared.complete = shared.complete || news.complete;
  news = {};
  if (first) {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(ready.get(), &one, sizeof one));
  }
}

void WatchMachine::run() {
  for (const Pattern& pattern : asked) anchor(pattern);
  settle_claims();
  set_old_ones_free();
  initial = false;
  positioned.retain([&](const std::string& key) { return !by_key.contains(key); });
  settle();
  news.complete = true;
  news.left_alone = !left_alone.empty();
  publish();
  base::Monotonic next_scan = base::after(clock.monotonic(), blind ? kBlindRescan : times.rescan);
  GatherPace pace(times.gather, times.spacing, clock.monotonic());
  base::Monotonic held_check = base::kNever, last_held_check = clock.monotonic() - times.hold;
  while (true) {
    std::array<pollfd, 5> fds = {{{wake.get(), POLLIN, 0},
                                  {structure.get(), POLLIN, 0},
                                  {filter_changed.fd(), POLLIN, 0},
                                  {mounts.get(), POLLPRI, 0},
                                  {written.get(), POLLIN, 0}}};
    const bool gathering = pace.due() != base::kNever;
    const base::Monotonic until = std::min({next_scan, pace.due(), held_check, ask_at()});
    const int ready_fds = ::poll(fds.data(), gathering ? 4 : 5, base::poll_timeout(clock.monotonic(), until));
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
    if ((ready_fds > 0 && fds[2].revents != 0) || now >= ask_at()) ask_filter();
    if (ready_fds > 0 && fds[3].revents != 0) check_mounts();
    if (!gathering && ready_fds > 0 && fds[4].revents != 0) pace.written(now);
    if (now >= pace.due()) {
      check_busy();
      read_written();
      pace.reported(now, !busy.empty());
    }
    if (now >= next_scan) {
      rescan(false);
      next_scan = base::after(now, blind ? kBlindRescan : times.rescan);
      deleted = true;  // one of them may have grown
    }
    settle();
    settle_claims();
    set_old_ones_free();
    drop_retired();
    publish();
    if (std::exchange(deleted, false)) held_check = std::min(held_check, base::after(last_held_check, times.hold));
    if (now >= held_check) {
      held_check = held.enforce() ? base::after(now, times.hold) : base::kNever;
      last_held_check = now;
    }
  }
}

Watcher::Watcher(std::unique_ptr<WatchMachine> machine) : machine_(std::move(machine)) {}

base::Result<std::unique_ptr<Watcher>> Watcher::start(std::vector<Pattern> patterns, Selection selection, WatchTimes times,
                                                      const base::Clock& clock, HeldFiles& held, WatchOptions options) {
  auto machine = std::make_unique<WatchMachine>(std::move(patterns), std::move(selection), times, clock, held, std::move(options));
  machine->structure.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  machine->written.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!machine->structure || !machine->written) {
    base::Error error = base::io_error(errno, "watch for new lines");
    if (error.system == EMFILE) error.hint = "raise fs.inotify.max_user_instances (sysctl)";
    return error;
  }
  machine->wake.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  machine->ready.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!machine->wake || !machine->ready) return base::io_error(errno, "watch for new lines");
  machine->mounts.reset(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (auto listened = machine->listen(); !listened) return std::move(listened).error();
  WatchMachine* const raw = machine.get();
  auto thread = base::start_thread("watch for new lines", [raw] { raw->run(); });
  if (!thread) {
    raw->unlisten();
    return std::move(thread).error();
  }
  raw->thread = *std::move(thread);
  return std::unique_ptr<Watcher>(new Watcher(std::move(machine)));
}

Watcher::~Watcher() { stop(); }

void Watcher::stop() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(machine_->wake.get(), &one, sizeof one));
  if (machine_->thread.joinable()) machine_->thread.join();
  machine_->unlisten();
}

int Watcher::fd() const { return machine_->ready.get(); }

Changes Watcher::take() {
  std::uint64_t count = 0;
  const std::lock_guard lock(machine_->mutex);
  static_cast<void>(!::read(machine_->ready.get(), &count, sizeof count));
  ++machine_->epoch;
  return std::exchange(machine_->shared, {});
}

std::size_t Watcher::left_alone() const { return machine_->left_alone_count.load(std::memory_order_relaxed); }

void Watcher::forget(std::uint32_t log) {
  const std::lock_guard lock(machine_->mutex);
  machine_->forgotten.push_back(log);
}

}  // namespace weir::tail
