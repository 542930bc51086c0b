#include "scan/block_queue.h"

#include "base/thread.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::scan {

using base::Result;

namespace {

constexpr std::size_t kHere = 4;   // blocks that are searched before threads are started for the rest
constexpr std::size_t kAhead = 2;  // blocks in flight beside those that the threads search

}  // namespace

struct BlockQueue::Threads {
  Threads(const std::vector<Block>& all, std::size_t first, const base::TimeRange& time)
      : blocks(all), range(time), next(first), taken(first) {}
  ~Threads() {
    {
      const std::lock_guard lock(mutex);
      ended = true;
    }
    work.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  void search(BlockSearch& search) {
    std::unique_lock lock(mutex);
    while (true) {
      work.wait(lock, [&] { return ended || next >= blocks.size() || next < taken + slots.size(); });
      if (ended || next >= blocks.size()) return;
      const std::size_t index = next++;
      const base::TimeRange time = range;
      lock.unlock();
      auto found = search.search(blocks[index], time);
      lock.lock();
      slots[index % slots.size()] = std::move(found);
      if (index == taken) done.notify_one();
    }
  }

  Result<Found> take() {
    std::unique_lock lock(mutex);
    auto& slot = slots[taken % slots.size()];
    done.wait(lock, [&] { return slot.has_value(); });
    auto found = std::move(*slot);
    slot.reset();
    ++taken;
    lock.unlock();
    work.notify_one();
    return found;
  }

  const std::vector<Block>& blocks;
  std::vector<BlockSearch*> searches;
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable work, done;
  base::TimeRange range;
  std::size_t next, taken;                          // the block that is searched next, and the one that the caller takes next
  std::vector<std::optional<Result<Found>>> slots;  // by block, modulo their number
  bool ended = false;
};

BlockQueue::BlockQueue(BlockSearch& here, const SearchOf& search_of, unsigned threads, const std::vector<Block>& blocks,
                       const base::TimeRange& range)
    : here_(here), search_of_(search_of), threads_wanted_(threads), blocks_(blocks), range_(range) {}
BlockQueue::~BlockQueue() = default;

// Where no thread can be had, the caller's does it all.
void BlockQueue::start_threads() {
  threads_ = std::make_unique<Threads>(blocks_, next_, range_);
  for (unsigned i = 0; i < threads_wanted_; ++i) {
    BlockSearch* const search = search_of_(i);
    if (search == nullptr) break;
    threads_->searches.push_back(search);
  }
  threads_->slots.resize(threads_->searches.size() + kAhead);
  for (BlockSearch* const search : threads_->searches) {
    auto thread = base::start_thread("read a spool", [all = threads_.get(), search] { all->search(*search); });
    if (!thread) break;
    threads_->threads.push_back(std::move(*thread));
  }
  if (threads_->threads.empty()) {
    threads_.reset();
    threads_wanted_ = 1;
  }
}

Result<Found> BlockQueue::next() {
  if (!threads_ && threads_wanted_ > 1 && next_ >= kHere && next_ + kHere < blocks_.size()) start_threads();
  const Block& block = blocks_[next_++];
  if (threads_) return threads_->take();
  return here_.search(block, range_);
}

void BlockQueue::narrow(const base::TimeRange& range) {
  range_ = range;
  if (!threads_) return;
  const std::lock_guard lock(threads_->mutex);
  threads_->range = range;
}

}  // namespace weir::scan
