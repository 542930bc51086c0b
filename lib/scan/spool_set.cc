#include "scan/spool_set.h"

#include "base/count.h"

#include <algorithm>
#include <tuple>

namespace weir::scan {

using base::Result;

Result<SpoolSet> SpoolSet::open(std::span<const std::string> paths, const base::TimeRange& range, base::Diagnostics& diagnostics) {
  SpoolSet set(diagnostics);
  for (const std::string& path : paths) {
    if (auto added = set.add(path, range); !added) return std::move(added).error();
  }
  std::sort(set.blocks_.begin(), set.blocks_.end(), [](const Block& a, const Block& b) {
    return std::tie(a.info.min_timestamp, a.spool, a.info.id) < std::tie(b.info.min_timestamp, b.spool, b.info.id);
  });
  return set;
}

Result<void> SpoolSet::add(const std::string& path, const base::TimeRange& range) {
  auto reader = spool::Reader::open(path);
  if (!reader) return std::move(reader).error();
  auto blocks = (*reader)->list({.time = range});
  if (!blocks) return std::move(blocks).error();
  for (const spool::BlockInfo& block : *blocks) blocks_.push_back({readers_.size(), block});
  if (const auto missing = (*reader)->missing()) {
    ++unreadable_;
    diagnostics_->say(*missing);
  }
  readers_.push_back(std::move(*reader));
  return {};
}

Readers SpoolSet::more_readers() const {
  Readers readers;
  for (const auto& known : readers_) {
    auto reader = spool::Reader::open(known->path());
    if (!reader || (*reader)->spool() != known->spool() || known->replaced()) return {};
    readers.push_back(std::move(*reader));
  }
  return readers;
}

void SpoolSet::note(const Block& block, const Found& found) {
  if (found.kind == Found::Kind::unreadable) note_unreadable(block, found.why);
  if (found.kind == Found::Kind::evicted && noted_.emplace(block.spool, block.info.id).second) evicted_ += block.info.records;
}

void SpoolSet::note_unreadable(const Block& block, const std::string& why) {
  if (!noted_.emplace(block.spool, block.info.id).second) return;
  ++unreadable_;
  diagnostics_->say(why);
}

void SpoolSet::say_evicted() {
  const std::uint64_t missing = std::exchange(evicted_, 0);
  if (missing == 0) return;
  diagnostics_->say(fmt::format("up to {} missing: the process that writes the spool removed {} meanwhile",
                                base::count_of(missing, "record is", "records are"), missing == 1 ? "it" : "them"));
}

}  // namespace weir::scan
