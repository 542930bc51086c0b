#include "scan/ordered_scan.h"

#include <algorithm>
#include <utility>

namespace weir::scan {

using base::Result;
using base::TimeRange;
using base::Timestamp;

// Of a block that is searched, as much is done as lies before the end of the round: what is put off is read again.
class OrderedScan::Progress {
 public:
  Progress(const std::vector<Block>& blocks, const TimeRange& range, Work work, const Watch& watch)
      : work_(work), start_(work.done), range_(range), watch_(watch) {
    for (const Block& block : blocks) {
      if (range.touches(block.info.min_timestamp, block.info.max_timestamp)) work_.all += block.info.body_bytes;
    }
  }
  [[nodiscard]] bool go_on() const { return !watch_ || watch_(work_); }
  void begin(const TimeRange& window) {
    before_ += round_;
    round_ = 0;
    searched_.clear();
    window_ = window;
  }
  void narrow(const TimeRange& window) {
    window_ = window;
    round_ = 0;
    for (const spool::BlockInfo& block : searched_) round_ += share(block);
  }
  void add(const spool::BlockInfo& block) {
    if (!watch_) return;
    searched_.push_back(block);
    round_ += share(block);
    // Also what is put off afterwards was searched: what is told does not go back.
    work_.done = std::clamp(start_ + static_cast<std::uint64_t>(before_ + round_), work_.done, work_.all);
  }

 private:
  // The bytes that stand for the part of it within the window.
  [[nodiscard]] double share(const spool::BlockInfo& block) const {
    const auto within = [&block](const TimeRange& time) {
      const auto from = std::max(block.min_timestamp, time.from);
      return static_cast<double>(std::min(block.max_timestamp, time.to - 1)) - static_cast<double>(from) + 1;
    };
    return static_cast<double>(block.body_bytes) * std::clamp(within(window_) / within(range_), 0.0, 1.0);
  }

  Work work_;
  std::uint64_t start_;
  TimeRange range_, window_;
  const Watch& watch_;
  double before_ = 0, round_ = 0;           // bytes of earlier rounds, and of this one
  std::vector<spool::BlockInfo> searched_;  // in this round
};

Result<std::unique_ptr<OrderedScan>> OrderedScan::make(SpoolSet& spools, Options options) {
  auto scan = std::unique_ptr<OrderedScan>(new OrderedScan(spools, std::move(options)));
  auto here = scan->make_search(spools.readers());
  if (!here) return std::move(here).error();
  scan->here_ = std::move(*here);
  return scan;
}

Result<std::unique_ptr<BlockSearch>> OrderedScan::make_search(const Readers& readers) {
  auto matcher = options_.matcher();
  if (!matcher) return std::move(matcher).error();
  return std::make_unique<BlockSearch>(readers, std::move(*matcher), options_.wanted, options_.tenant, options_.times,
                                       options_.first, options_.limits.over, memory_);
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
  Merge merge(options_.limits, memory_, here_->matcher(), options_.first, each);
  merge.skip(window.from, skip);
  const auto queue = this->queue(blocks, window);
  progress.begin(window);
  for (unsigned opened = 1; const Block* block = queue->front(); ++opened) {
    const Timestamp from = std::max(block->info.min_timestamp, window.from);
    if (from >= window.to) break;
    // Nothing still to come is older than the first record of the next block.
    auto more = merge.give(from);
    if (more && *more && opened % kSilent == 0) more = merge.flush();
    if (!more || !*more) return more;
    if (!progress.go_on()) return false;
    auto found = queue->next();
    if (!found) return std::move(found).error();
    if (found->kind == Found::Kind::cut_short) {
      static_cast<void>(progress.go_on());  // who watches learns that something is missing
      return false;
    }
    spools_.note(*block, *found);
    progress.add(block->info);
    merge.add(std::move(found->run), block->spool, block->info.id);
    if (const auto end = merge.make_room()) {
      window.to = std::min(window.to, *end);
      queue->narrow(window);
      progress.narrow(window);
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
