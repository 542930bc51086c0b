// Searches blocks in their order: in the thread of the caller, or ahead of it in some threads more.
//
// A few blocks more than there are threads are in flight at most: being searched, or found and not asked for yet. So memory is
// bounded, and nobody waits while there is something to do.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "scan/block_search.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace weir::scan {

// A search for the thread of this index; null when there can be none. They outlive the queue.
using SearchOf = std::function<BlockSearch*(unsigned index)>;

// One thread uses it.
class BlockQueue {
 public:
  // `here` searches in the thread of the caller, `search_of` those of `threads` more, which are started when `blocks` are many. All
  // of them outlive the queue.
  BlockQueue(BlockSearch& here, const SearchOf& search_of, unsigned threads, const std::vector<Block>& blocks,
             const base::TimeRange& range);
  ~BlockQueue();
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;

  // Which block next() takes; null when there is none left.
  [[nodiscard]] const Block* front() const { return next_ < blocks_.size() ? &blocks_[next_] : nullptr; }
  // What is in it. Errors: those of BlockSearch.
  base::Result<Found> next();
  // For the blocks whose search has not begun.
  void narrow(const base::TimeRange& range);

 private:
  struct Threads;
  void start_threads();

  BlockSearch& here_;
  const SearchOf& search_of_;
  unsigned threads_wanted_;
  const std::vector<Block>& blocks_;
  base::TimeRange range_;
  std::size_t next_ = 0;
  std::unique_ptr<Threads> threads_;
};

}  // namespace weir::scan
