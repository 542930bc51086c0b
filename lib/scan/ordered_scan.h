// What matches in a set of spools, in the order of time, within bounded memory.
//
// Blocks are stored in the order of arrival. Their times overlap when several logs, late lines or a catch-up meet. They are
// searched in the order of their first times, each once; what matches waits in a merge until no block to come can hold anything
// earlier. Where too much waits, the latest part is put off: the scan goes on behind it in a second round, which reads its blocks
// again.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "scan/block_queue.h"
#include "scan/frame_memory.h"
#include "scan/limits.h"
#include "scan/matcher.h"
#include "scan/merge.h"
#include "scan/spool_set.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace weir::scan {

// How far a scan is: bytes of blocks on the disk. `all` is what is still planned, and may become less.
struct Work {
  std::uint64_t done = 0, all = 0;
};
// Called before each block is searched, also when nothing in it matches. False ends the scan, as if there were no more records.
using Watch = std::function<bool(const Work&)>;

// Not thread safe: one thread uses it, and all callbacks but `wanted` are called in that thread.
class OrderedScan {
 public:
  struct Options {
    MakeMatcher matcher;
    WantedState wanted;
    WantedTenant tenant = {};
    bool times = false;       // for queue(): times are found in place of records
    std::uint64_t first = 0;  // the caller of run() ends after so many records of the range, if not before; 0: it takes all
    Limits limits = {};
    Watch watch = {};  // may be null
  };
  // The set must outlive it. Errors: those of options.matcher.
  static base::Result<std::unique_ptr<OrderedScan>> make(SpoolSet& spools, Options options);

  // Hands on what matches in this time, but not the first `skip` records of the time range.from. `work`: what was done before.
  base::Result<void> run(const base::TimeRange& range, std::uint64_t skip, Work work, const Each& each);

  // Searches the blocks one after the other in the given order, ahead of the caller when they are many.
  std::unique_ptr<BlockQueue> queue(const std::vector<Block>& blocks, const base::TimeRange& range);
  // In the thread of the caller.
  [[nodiscard]] BlockSearch& here() { return *here_; }

 private:
  class Progress;
  OrderedScan(SpoolSet& spools, Options options) : spools_(spools), options_(std::move(options)) {}
  base::Result<std::unique_ptr<BlockSearch>> make_search(const Readers& readers);
  BlockSearch* search_of(unsigned index);
  base::Result<bool> run_round(base::TimeRange& window, std::uint64_t skip, Progress& progress, const Each& each);

  SpoolSet& spools_;
  Options options_;
  FrameMemory memory_;  // outlives all that holds runs
  std::unique_ptr<BlockSearch> here_;
  std::vector<std::unique_ptr<BlockSearch>> searches_;  // of other threads, from round to round
  SearchOf search_of_ = [this](unsigned index) { return search_of(index); };
};

}  // namespace weir::scan
