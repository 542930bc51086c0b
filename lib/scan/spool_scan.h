// The records of a spool that match a log query, in the order of their time, within bounded memory.
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
#include <string>
#include <vector>

namespace weir::scan {

// Not thread safe. Does not see what is stored after open(). What is evicted meanwhile is missing, and run() says how much that is.
class SpoolScan {
 public:
  // `query` may have no selector. `diagnostics` gets a message about what cannot be read, and must outlive the scan.
  static base::Result<std::unique_ptr<SpoolScan>> open(const std::string& path, const std::string& query,
                                                       const spool::TimeRange& range, base::Diagnostics& diagnostics);
  static base::Result<std::unique_ptr<SpoolScan>> open(const std::string& path, logql::LogExpr query, const spool::TimeRange& range,
                                                       base::Diagnostics& diagnostics);

  // Calls `each` with batches of matching records, oldest first; equal times come in the order of storing. Held records have
  // their mark. Rejected ones are left out, unless take_states() says otherwise. `source` is none. Line, labels, metadata and
  // `parsed` are the query's result, or the stored ones after keep_as_stored(). `each` returns false when it wants no more.
  using Each = std::function<base::Result<bool>(record::Batch& batch)>;
  base::Result<void> run(const Each& each);

  // take_states(): chooses records by their state. keep_as_stored(): the query only selects, and changes nothing. Call both
  // before run() or keep_newest().
  void take_states(std::function<bool(spool::State)> wanted) { wanted_ = std::move(wanted); }
  // Leaves out streams, beside those that the query does not select.
  void take_streams(std::function<bool(const record::LabelSet&)> wanted) { wanted_streams_ = std::move(wanted); }
  // Leaves out blocks that hold nothing wanted, without opening them. Call it before run() or keep_newest().
  void take_blocks(const std::function<bool(const spool::BlockInfo&)>& wanted) {
    std::erase_if(blocks_, [&](const spool::BlockInfo& block) { return !wanted(block); });
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
  // Bytes of matching records that are held before some are put off. The default is 2 MiB. Twice that may be used for a moment.
  void set_memory(std::size_t bytes) { memory_ = bytes; }

 private:
  struct Kept {
    base::Timestamp time;
    std::uint64_t order;  // block, and place in it
    std::size_t index;    // index in kept_
  };
  static base::Result<std::unique_ptr<SpoolScan>> open(const std::string& path, logql::LogQuery query,
                                                       const spool::TimeRange& range, base::Diagnostics& diagnostics);
  SpoolScan(std::unique_ptr<spool::Reader> reader, logql::LogQuery query, const spool::TimeRange& range,
            base::Diagnostics& diagnostics, std::vector<spool::BlockInfo> blocks);
  base::Result<void> read(const Each& each);
  base::Result<void> load(const spool::BlockInfo& block, const spool::TimeRange& range);
  void keep(record::Record& record, std::uint64_t order);
  void keep_changed(const record::Record& record, const logql::LogQuery::Entry& entry);
  void put_off(spool::TimeRange& window);
  void retain();
  [[nodiscard]] std::size_t memory_in_use() const;
  base::Result<bool> give(base::Timestamp before, const Each& each);

  std::unique_ptr<spool::Reader> reader_;
  logql::LogQuery query_;
  spool::TimeRange range_;
  base::Diagnostics& diagnostics_;
  std::vector<spool::BlockInfo> blocks_;  // sorted by first time
  std::size_t memory_ = 2 << 20;
  std::size_t allowed_ = 0;  // memory_; more when the records of one timestamp alone need more
  std::uint64_t skip_ = 0;   // how many of the records at range_.from to skip
  std::uint64_t unreadable_ = 0;
  std::set<std::uint64_t> removed_;    // blocks that were evicted before they were opened
  std::uint64_t removed_records_ = 0;  // in them, not reported yet
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
