// The records of one or several spools that match a log query, in the order of their time, within bounded memory.
//
// Blocks are stored in the order of arrival. Their times overlap when several logs, late lines or a catch-up meet. The scan
// opens blocks by their first time. It emits the records before the first time of all blocks that are still to come. When
// overlapping blocks hold more than fits into memory, the later part is put off, and its blocks are opened again.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "logql/log_query.h"
#include "record/record.h"
#include "spool/reader.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace weir::scan {

// What a scan may take.
struct Limits {
  // Bytes of memory, about, for the whole process. Records that overlapping blocks hold for later may take as much again.
  std::size_t memory = 32UL << 20U;
  // Threads that read blocks. 0: one for each core that the process may use, as far as the memory reaches; a small scan has none
  // but that of its caller.
  unsigned threads = 0;
};

// Not thread safe. Does not see what is stored after open(). What is evicted meanwhile is missing, and run() says how much that is.
class SpoolScan {
 public:
  // Several spools are read as one. `query` may have no selector. `diagnostics` gets a message about what cannot be read, and must
  // outlive the scan.
  static base::Result<std::unique_ptr<SpoolScan>> open(std::span<const std::string> paths, const std::string& query,
                                                       const spool::TimeRange& range, base::Diagnostics& diagnostics);
  static base::Result<std::unique_ptr<SpoolScan>> open(std::span<const std::string> paths, logql::LogExpr query,
                                                       const spool::TimeRange& range, base::Diagnostics& diagnostics);
  static base::Result<std::unique_ptr<SpoolScan>> open(const std::string& path, const std::string& query,
                                                       const spool::TimeRange& range, base::Diagnostics& diagnostics);

  // Calls `each` with batches of matching records, oldest first; equal times come in the order of the paths, and within one
  // spool in the order of storing. Held records have their mark. Rejected ones are left out, unless take_states() says otherwise.
  // `source` is none. Line, labels, metadata and `parsed` are the query's result, or the stored ones after keep_as_stored(). `each`
  // returns false when it wants no more.
  using Each = std::function<base::Result<bool>(record::Batch& batch)>;
  base::Result<void> run(const Each& each);

  // take_states(): chooses records by their state. keep_as_stored(): the query only selects, and changes nothing. Call both
  // before run() or keep_newest().
  void take_states(std::function<bool(spool::State)> wanted) { wanted_ = std::move(wanted); }
  // Leaves out streams, beside those that the query does not select.
  void take_streams(std::function<bool(const record::LabelSet&)> wanted) { wanted_streams_ = std::move(wanted); }
  // Leaves out blocks that hold nothing wanted, without opening them. Call it before run() or keep_newest().
  void take_blocks(const std::function<bool(const spool::BlockInfo&)>& wanted) {
    std::erase_if(blocks_, [&](const Block& block) { return !wanted(block.info); });
  }
  void keep_as_stored() { as_stored_ = true; }
  // Records that report a gap match when the selector takes them, whatever the stages of the query say. With keep_as_stored(), and
  // before run().
  void keep_gaps() { gaps_ = true; }

  // Limits run() to the newest `count` records. True when there are older ones. Takes eight bytes of memory per record.
  base::Result<bool> keep_newest(std::uint64_t count);

  // The label sets of the streams that the selector takes and that have records in the range: sorted, without repeats.
  base::Result<std::vector<record::LabelSetRef>> series();

  // How far run() or keep_newest() is: bytes of blocks on the disk. `all` is what is still planned, and may become less.
  struct Work {
    std::uint64_t done = 0, all = 0;
  };
  // Called before each block is opened, also when nothing in it matches. False ends run() and keep_newest() at once, as if there
  // were no more records.
  using Watch = std::function<bool(const Work&)>;
  void watch(Watch watch) { watch_ = std::move(watch); }

  // A lower bound: when a spool has lost its write-ahead log, one block is counted, however many are missing.
  [[nodiscard]] std::uint64_t unreadable_blocks() const { return unreadable_; }
  // Before run(), keep_newest() and series().
  void set_limits(const Limits& limits) { limits_ = limits; }

 private:
  struct Kept {
    base::Timestamp time;
    std::size_t spool;
    std::uint64_t order;  // block, and place in it
    std::size_t index;    // index in kept_
  };
  struct Block {
    std::size_t spool;  // index of its path
    spool::BlockInfo info;
  };
  static base::Result<std::unique_ptr<SpoolScan>> open(std::span<const std::string> paths, logql::LogQuery query,
                                                       const spool::TimeRange& range, base::Diagnostics& diagnostics);
  SpoolScan(logql::LogQuery query, const spool::TimeRange& range, base::Diagnostics& diagnostics);
  base::Result<void> add(const std::string& path);
  static bool earlier(const Block& a, const Block& b);
  base::Result<void> read(const Each& each);
  base::Result<void> load(const Block& block, const spool::TimeRange& range);
  void keep(record::Record& record, std::size_t spool, std::uint64_t order);
  void keep_changed(const record::Record& record, const logql::LogQuery::Entry& entry);
  void put_off(spool::TimeRange& window);
  void retain();
  [[nodiscard]] std::size_t memory_in_use() const;
  base::Result<bool> give(base::Timestamp before, const Each& each);

  std::vector<std::unique_ptr<spool::Reader>> readers_;  // in the order of the paths
  logql::LogQuery query_;
  spool::TimeRange range_;
  base::Diagnostics& diagnostics_;
  std::vector<Block> blocks_;  // sorted by first time
  Limits limits_;
  std::size_t allowed_ = 0;  // bytes of kept records; more when the records of one timestamp alone need more
  std::uint64_t skip_ = 0;   // how many of the records at range_.from to skip
  std::uint64_t unreadable_ = 0;
  std::set<std::pair<std::size_t, std::uint64_t>> removed_;  // blocks that were evicted before they were opened
  std::uint64_t removed_records_ = 0;                        // in them, not reported yet
  std::function<bool(spool::State)> wanted_ = [](spool::State state) { return state != spool::State::rejected; };
  std::function<bool(const record::LabelSet&)> wanted_streams_;
  bool as_stored_ = false, gaps_ = false;
  Watch watch_;
  std::uint64_t searched_ = 0;  // bytes of the blocks that keep_newest() has read
  record::Batch loaded_, kept_, spare_;
  std::vector<spool::State> states_;
  std::vector<Kept> entries_;
  std::string text_;
};

}  // namespace weir::scan
