#include "tail/held_files.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "tail/siblings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace weir::tail {
namespace {

// Of a thousand descriptors 64 stay for connections, the spool, and folders that are listed.
bool few_descriptors_left() {
  constexpr rlim_t kMostSpare = 64, kLeastSpare = 16, kShare = 16;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  const base::UniqueFd lowest(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  return !lowest ||
         static_cast<rlim_t>(lowest.get()) + std::clamp(limit.rlim_cur / kShare, kLeastSpare, kMostSpare) >= limit.rlim_cur;
}

}  // namespace

void HeldFiles::add(const std::shared_ptr<InputFile>& file) {
  if (!file->enlist()) return;
  const std::lock_guard lock(mutex_);
  if (files_.size() == files_.capacity()) std::erase_if(files_, [](const auto& known) { return known.expired(); });
  files_.push_back(file);
}

std::uint64_t HeldFiles::unread() {
  std::uint64_t bytes = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& known : files_) {
    if (const auto file = known.lock()) bytes += file->holding().unread;
  }
  return bytes;
}

std::vector<HeldFiles::Deleted> HeldFiles::deleted_files() {
  std::vector<Deleted> deleted;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& known : files_) {
      auto file = known.lock();
      if (file == nullptr) continue;
      const InputFile::Holding holding = file->holding();
      if (holding.deleted) deleted.push_back({std::move(file), holding});
    }
  }
  std::ranges::stable_sort(deleted, {}, [](const Deleted& one) { return one.holding.modified; });
  return deleted;
}

bool HeldFiles::enforce() {
  std::vector<Deleted> deleted = deleted_files();
  std::uint64_t total = 0;
  for (const Deleted& one : deleted) total += one.holding.unread + one.holding.read;
  if (total <= limit_) return total > 0;
  for (const Deleted& one : deleted) {
    if (one.holding.read == 0) continue;
    if (total <= limit_) return total > 0;
    one.file->give_up("", nullptr);
    total -= one.holding.read;
  }
  std::erase_if(deleted, [](const Deleted& one) { return one.holding.unread == 0; });
  // A copy that is compressed is there from before the deletion or never will be, and is gone the sooner the older it is.
  for (std::size_t i = deleted.size(); i-- > 0 && total > limit_;) {
    Deleted& one = deleted[i];
    if (one.file->gzipped() || !one.file->first_search()) continue;
    auto copy = open_compressed_copy(*one.file, one.file->roots());
    if (copy == nullptr) continue;
    add(copy);
    one.file->give_up("", std::move(copy));
    total -= one.holding.unread;
    one.holding.unread = 0;
  }
  for (std::size_t i = 0; i < deleted.size() && total > limit_; ++i) {
    if (deleted[i].holding.unread == 0) continue;
    const std::string cause =
        fmt::format("deleted files may keep {} on the disk until they are read (--hold-deleted)", record::print_size(limit_));
    give_up(*deleted[i].file, "tail.held.bytes", cause);
    total -= deleted[i].holding.unread;
  }
  return total > 0;
}

bool HeldFiles::give_up_read() {
  for (const Deleted& one : deleted_files()) {
    if (one.holding.unread > 0) continue;
    one.file->give_up("", nullptr);
    return true;
  }
  return false;
}

bool HeldFiles::give_up_oldest() {
  std::vector<Deleted> deleted = deleted_files();
  std::erase_if(deleted, [](const Deleted& one) { return one.holding.unread == 0; });
  if (deleted.empty()) return false;
  give_up(*deleted.front().file, "tail.held.descriptors", "a new file needed its descriptor (ulimit -n)");
  return true;
}

void HeldFiles::make_room() {
  while (few_descriptors_left() && (give_up_read() || park_some() || give_up_oldest())) {
  }
}

// Several at once, since looking for them costs a call to the system for each open file.
bool HeldFiles::park_some() {
  constexpr std::size_t kAtOnce = 32;
  std::vector<std::pair<base::Timestamp, std::shared_ptr<InputFile>>> open;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& known : files_) {
      auto file = known.lock();
      if (file == nullptr || file->given_up()) continue;
      if (!file->parked()) open.emplace_back(file->holding().modified, std::move(file));
    }
  }
  std::ranges::sort(open, {}, [](const auto& one) { return one.first; });
  std::size_t parked = 0;
  // A rotated file may be deleted before it is opened again; without a descriptor for the next one that would be lost for certain.
  for (const bool also_rotated : {false, true}) {
    for (std::size_t i = 0; i + 1 < open.size() && parked < kAtOnce; ++i) parked += open[i].second->park(also_rotated) ? 1 : 0;
    if (parked > 0) break;
  }
  if (parked > 0) {
    const std::lock_guard lock(mutex_);
    first = !std::exchange(reported_parked_, true);
  }
  if (first) {
    diagnostics_.warn("tail.parked", fmt::format("more log files than this process may open at a time (about {}): those that were "
                                                 "written last stay open, the others are "
                                                 "opened when they are written to (raise the limit of open files: ulimit -n)",
                                                 open.size()));
  }
  return parked > 0;
}

// Reported here and now: the reader may not come to it for hours.
void HeldFiles::give_up(InputFile& file, std::string_view key, const std::string& cause) {
  file.give_up(cause, nullptr);
  const auto given = file.given_up();
  const std::string bytes = given->size ? base::count_of(*given->size - std::min(*given->size, file.place()), "byte") : "what";
  diagnostics_.warn(key, fmt::format("{}: deleted before it was read: {} not read yet are lost, because {}",
                                     base::escape_control(file.path()), bytes, cause));
}

}  // namespace weir::tail
