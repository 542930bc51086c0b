// Several spools that are read as one: their readers, their blocks, and what of them could not be read.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "scan/block_search.h"
#include "scan/damage.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::scan {

// Not thread safe.
class SpoolSet {
 public:
  // Only blocks with records in this time. Errors: those of spool::Reader::open().
  static base::Result<SpoolSet> open(std::span<const std::string> paths, const base::TimeRange& range, Damage damage);
  // The same of readers that are open already, in place of paths.
  static base::Result<SpoolSet> of(Readers readers, const base::TimeRange& range, Damage damage);

  // By first time; of equal ones in the order of the paths, and in one spool in the order of storing.
  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }
  void keep(const std::function<bool(const Block&)>& wanted) {
    std::erase_if(blocks_, [&](const Block& block) { return !wanted(block); });
  }

  // For the thread of the caller.
  [[nodiscard]] const Readers& readers() const { return readers_; }
  // For another thread; empty when a spool cannot be opened again, or another one stands in its place.
  [[nodiscard]] Readers more_readers() const;

  // Counts a block that could not be read, and says so: each once.
  void note(const Block& block, const Found& found);
  void note_unreadable(const Block& block, const std::string& why);
  // Says how many records were evicted while the spools were read, in blocks that note() was told of since the last call.
  void say_evicted() { damage_.say_evicted(); }
  // Of all sets that share the account.
  [[nodiscard]] std::uint64_t unreadable() const { return damage_.unreadable(); }

 private:
  explicit SpoolSet(Damage damage) : damage_(std::move(damage)) {}

  Damage damage_;
  Readers readers_;
  std::vector<Block> blocks_;
};

}  // namespace weir::scan
