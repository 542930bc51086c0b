#include "tail/held_files.h"

#include "record/timestamp.h"
#include "tail/siblings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::tail {

void HeldFiles::add(const std::shared_ptr<InputFile>& file) {
  if (!file->enlist()) return;
  const std::lock_guard lock(mutex_);
  if (files_.size() == files_.capacity()) std::erase_if(files_, [](const auto& known) { return known.expired(); });
  files_.push_back(file);
}

std::vector<HeldFiles::Deleted> HeldFiles::deleted_files(bool read_ones) {
  std::vector<Deleted> deleted;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& known : files_) {
      auto file = known.lock();
      if (file == nullptr) continue;
      const InputFile::Holding holding = file->holding();
      if (holding.deleted && (read_ones || holding.unread > 0)) deleted.push_back({std::move(file), holding});
    }
  }
  std::ranges::stable_sort(deleted, {}, [](const Deleted& one) { return one.holding.modified; });
  return deleted;
}

bool HeldFiles::enforce() {
  std::vector<Deleted> deleted = deleted_files(false);
  std::uint64_t total = 0;
  for (const Deleted& one : deleted) total += one.holding.unread;
  if (total <= limit_) return total > 0;
  // A copy that is compressed is there from before the deletion or never will be, and is gone the sooner the older it is.
  for (std::size_t i = deleted.size(); i-- > 0 && total > limit_;) {
    Deleted& one = deleted[i];
    if (one.file->gzipped() || !one.file->first_search()) continue;
    auto copy = open_compressed_copy(*one.file);
    if (copy == nullptr) continue;
    add(copy);
    one.file->give_up("", std::move(copy));
    total -= one.holding.unread;
    one.holding.unread = 0;
  }
  for (std::size_t i = 0; i < deleted.size() && total > limit_; ++i) {
    if (deleted[i].holding.unread == 0) continue;
    const std::string cause = fmt::format("deleted files may keep {} on the disk until they are read (--hold-deleted)", record::print_size(limit_));
    give_up(*deleted[i].file, "tail.held.bytes", cause);
    total -= deleted[i].holding.unread;
  }
  return total > 0;
}

bool HeldFiles::give_up_oldest() {
  std::vector<Deleted> deleted = deleted_files(true);
  if (deleted.empty()) return false;
  // Of one that was read to its end nothing is lost: it is only open for a late line.
  const auto read = std::ranges::find(deleted, 0U, [](const Deleted& one) { return one.holding.unread; });
  if (read != deleted.end()) read->file->give_up("", nullptr);
  else give_up(*deleted.front().file, "tail.held.descriptors", "a new file needed its descriptor (ulimit -n)");
  return true;
}

// Told here and now: the reader may not come to it for hours.
void HeldFiles::give_up(InputFile& file, std::string_view key, const std::string& cause) {
  file.give_up(cause, nullptr);
  const auto given = file.given_up();
  const std::string bytes = given->size ? fmt::format("{} bytes", *given->size - std::min(*given->size, file.place())) : "what";
  diagnostics_.warn(key, fmt::format("{}: deleted before it was read: {} not read yet are given up, since {}", base::escape_control(file.path()), bytes, cause));
}

}  // namespace weir::tail
