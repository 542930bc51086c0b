#include "scan/ordered_scan.h"

#include <algorithm>
#include <utility>

namespace weir::scan {

using base::Result;
using base::TimeRange;
using base::Timestamp;

// A block is done when the scan has come to a later time, however often it is opened until then.
class OrderedScan::Progress {
 public:
  Progress(const std::vector<Block>& blocks, const TimeRange& range, Work work, const Watch& watch) : work_(work), watch_(watch) {
    if (!watch_) return;
    for (const Block& block : blocks) {
      if (!range.touches(block.info.min_timestamp, block.info.max_timestamp)) continue;
      ends_.emplace_back(block.info.max_timestamp, block.info.body_bytes);
      work_.all += block.info.body_bytes;
    }
    std::sort(ends_.begin(), ends_.end());
  }
  [[nodiscard]] bool go_on(Timestamp now) {
    if (!watch_) return true;
    for (; next_ < ends_.size() && ends_[next_].first < now; ++next_) work_.done += ends_[next_].second;
    return watch_(work_);
  }

 private:
  Work work_;
  const Watch& watch_;
  std::vector<std::pair<Timestamp, std::uint64_t>> ends_;  // of blocks, with their sizes, in the order of their last times
  std::size_t next_ = 0;
};

Result<std::unique_ptr<OrderedScan>> OrderedScan::make(SpoolSet& spools, Options options) {
  auto scan = std::unique_ptr<OrderedScan>(new OrderedScan(spools, std::move(options)));
  auto here = scan->make_search(spools.readers());
  if (!here) return std::move(here).error();
  scan->here_ = std::move(*here);
  return scan;
}

Result<std::unique_ptr<BlockSearch>> OrderedScan::make_search(const Readers& readers) const {
  auto matcher = options_.matcher();
  if (!matcher) return std::move(matcher).error();
  return std::make_unique<BlockSearch>(readers, std::move(*matcher), options_.wanted, options_.times);
}

// Where no search can be made for another thread, the caller's does it all: an error there is said by its own reader.
BlockSearch* OrderedScan::search_of(unsigned index) {
  if (index < searches_.size()) return searches_[index].get();
  const Readers readers = spools_.more_readers();
  if (readers.empty()) return nullptr;
  auto search = make_search(readers);
  if (!search) return nullptr;
  return searches_.emplace_back(std::move(*search)).get();
}

std::unique_ptr<BlockQueue> OrderedScan::queue(const std::vector<Block>& blocks, const TimeRange& range) {
  return std::make_unique<BlockQueue>(*here_, search_of_, options_.limits.workers(), blocks, range);
}

// Ends the window where something was put off. False: no more records are wanted.
Result<bool> OrderedScan::run_round(TimeRange& window, std::uint64_t skip, Progress& progress, const Each& each) {
  constexpr unsigned kSilent = 16;  // blocks that are searched while records wait for a batch to be full
  std::vector<Block> blocks;
  for (const Block& block : spools_.blocks()) {
    if (window.touches(block.info.min_timestamp, block.info.max_timestamp)) blocks.push_back(block);
  }
  Merge merge(options_.limits, each);
  merge.skip(window.from, skip);
  const auto queue = this->queue(blocks, window);
  for (unsigned opened = 1; const Block* block = queue->front(); ++opened) {
    const Timestamp from = std::max(block->info.min_timestamp, window.from);
    if (from >= window.to) break;
    // Nothing still to come is older than the first record of the next block.
    auto more = merge.give(from);
    if (more && *more && opened % kSilent == 0) more = merge.flush();
    if (!more || !*more) return more;
    if (!progress.go_on(from)) return false;
    auto found = queue->next();
    if (!found) return std::move(found).error();
    spools_.note(*block, *found);
    merge.add(std::move(found->run), block->spool, block->info.id);
    if (const auto end = merge.make_room()) {
      window.to = std::min(window.to, *end);
      queue->narrow(window);
    }
  }
  auto more = merge.give(window.to);
  if (!more || !*more) return more;
  return merge.flush();
}

Result<void> OrderedScan::run(const TimeRange& range, std::uint64_t skip, Work work, const Each& each) {
  Progress progress(spools_.blocks(), range, work, options_.watch);
  for (TimeRange window = range; window.from < range.to; window = {window.to, range.to}) {
    auto more = run_round(window, std::exchange(skip, 0), progress, each);
    if (!more) return std::move(more).error();
    if (!*more) return {};
  }
  return {};
}

}  // namespace weir::scan
