// Logs that the pod filter keeps from being read. Such a log has no number and no file: its path stands in `left_alone`, and its
// folder is watched for names only. It leaves that list when the filter wants it read, or when nothing is at its path any more.
// Answers are asked for again when the filter rings, and at the times that it said.
#include "base/path.h"
#include "tail/watch_machine.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace weir::tail {

using Answer = PodFilter::Answer;

bool WatchMachine::leaves_alone(const std::string& path, const std::string& key) {
  const PodFilter::Verdict verdict = verdict_of(filter, key, clock.monotonic());
  if (verdict.answer == Answer::read) {
    const auto known = left_alone.extract(path);
    if (!known.empty() && known.mapped().excluded) from_end.insert(key);
  } else {
    LeftAlone& one = left_alone.try_emplace(path, LeftAlone{key, initial}).first->second;
    one.excluded = one.excluded || verdict.answer == Answer::leave;
    one.ask_at = verdict.ask_at;
  }
  left_alone_count.store(left_alone.size(), std::memory_order_relaxed);
  return verdict.answer != Answer::read;
}

base::Monotonic WatchMachine::ask_at() const {
  base::Monotonic first = base::kNever;
  for (const auto& [path, one] : left_alone) first = std::min(first, one.ask_at);
  return first;
}

void WatchMachine::ask_filter() {
  filter_changed.hear();
  const base::Monotonic now = clock.monotonic();
  std::vector<std::uint32_t> unwanted;
  for (const auto& [number, log] : logs) {
    if (verdict_of(filter, log.key, now).answer == Answer::leave) unwanted.push_back(number);
  }
  std::ranges::sort(unwanted);
  for (const std::uint32_t number : unwanted) set_aside(number);

  std::vector<std::string> wanted;
  for (auto& [path, one] : left_alone) {
    const PodFilter::Verdict verdict = verdict_of(filter, one.key, now);
    one.excluded = one.excluded || verdict.answer == Answer::leave;
    one.ask_at = verdict.ask_at;
    if (verdict.answer == Answer::read) wanted.push_back(path);
  }
  for (const std::string& path : wanted) {
    const auto folder = folders.find(base::folder_of(path));
    const auto one = left_alone.find(path);
    if (one == left_alone.end()) continue;
    if (folder == folders.end()) {  // it comes back as found with its folder
      left_alone.erase(one);
      continue;
    }
    const bool now_initial = std::exchange(initial, one->second.initial);
    add_file(*folder->second, path);
    initial = now_initial;
  }
  left_alone_count.store(left_alone.size(), std::memory_order_relaxed);
}

// As forget(), of a log that is still there.
void WatchMachine::set_aside(std::uint32_t number) {
  Log& log = logs.at(number);
  const std::string key = log.key, path = log.path;
  for (const Alias& alias : std::vector<Alias>(log.aliases)) {
    if (const auto folder = folders.find(alias.folder); folder != folders.end()) drop_alias(*folder->second, alias.name);
  }
  if (log.inode != 0) unremember(log.inode, number);
  for (const Former& former : log.formers) unremember(former.inode, number);
  disown(log, number);
  by_key.erase(key);
  logs.erase(number);
  left_alone.insert_or_assign(path, LeftAlone{key, false, true});
  Changes::Event event;
  event.log = number;
  event.key = key;
  event.set_aside = true;
  news.events.push_back(std::move(event));
}

void WatchMachine::check_left_alone() {
  std::erase_if(left_alone, [&](const auto& one) {
    struct stat status {};
    if (::lstat(one.first.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR)) return false;
    Changes::Event event;
    event.key = one.second.key;
    event.vanished = true;
    news.events.push_back(std::move(event));
    return true;
  });
  left_alone_count.store(left_alone.size(), std::memory_order_relaxed);
}

base::Result<void> WatchMachine::listen() {
  if (filter == nullptr) return {};
  if (auto opened = filter_changed.open(); !opened) return opened;
  filter->listen(filter_changed);
  listens = true;
  return {};
}

void WatchMachine::unlisten() {
  if (std::exchange(listens, false)) filter->unlisten(filter_changed);
}

}  // namespace weir::tail
