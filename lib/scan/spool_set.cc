#include "scan/spool_set.h"

#include <algorithm>
#include <tuple>

namespace weir::scan {

using base::Result;

Result<SpoolSet> SpoolSet::open(std::span<const std::string> paths, const base::TimeRange& range, Damage damage) {
  Readers readers;
  for (const std::string& path : paths) {
    auto reader = spool::Reader::open(path);
    if (!reader) return std::move(reader).error();
    readers.push_back(std::move(*reader));
  }
  return of(std::move(readers), range, std::move(damage));
}

Result<SpoolSet> SpoolSet::of(Readers readers, const base::TimeRange& range, Damage damage) {
  SpoolSet set(std::move(damage));
  for (std::size_t spool = 0; spool < readers.size(); ++spool) {
    auto blocks = readers[spool]->list({.time = range});
    if (!blocks) return std::move(blocks).error();
    for (const spool::BlockInfo& block : *blocks) set.blocks_.push_back({spool, block});
    if (const auto missing = readers[spool]->missing()) set.damage_.log(readers[spool]->path(), *missing);
  }
  set.readers_ = std::move(readers);
  std::sort(set.blocks_.begin(), set.blocks_.end(), [](const Block& a, const Block& b) {
    return std::tie(a.info.min_timestamp, a.spool, a.info.id) < std::tie(b.info.min_timestamp, b.spool, b.info.id);
  });
  return set;
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
  if (found.kind == Found::Kind::evicted) damage_.evicted(readers_[block.spool]->path(), block.info.id, block.info.records);
}

void SpoolSet::note_unreadable(const Block& block, const std::string& why) {
  damage_.block(readers_[block.spool]->path(), block.info.id, why);
}

}  // namespace weir::scan
