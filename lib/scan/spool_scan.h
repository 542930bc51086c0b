// The records of a spool that a log query matches, in the order of their time, within bounded memory.
//
// Blocks are in the order of arrival; their times overlap where several logs, late lines or a catch-up meet. Blocks are opened
// by their first time, and what lies before the first time of all blocks still to come goes out. Where overlapping blocks hold
// more than fits, the later part is put off and its blocks are opened again.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "logql/log_query.h"
#include "record/record.h"
#include "spool/reader.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::scan {

// Not thread safe. What is stored after open() is not seen.
class SpoolScan {
 public:
  // `query` may leave its selector out. `diagnostics` is told of what cannot be read and must outlive the scan.
  static base::Result<std::unique_ptr<SpoolScan>> open(const std::string& path, const std::string& query,
                                                       const spool::TimeRange& range, base::Diagnostics& diagnostics);

  // Calls `each` with batches of matching records, oldest first; equal times in the order of storing. Held records carry their
  // mark, rejected ones are left out unless take_states() says otherwise, `source` is none; line, labels, metadata and `parsed` are
  // what the query shows, or what is stored after keep_as_stored(). `each` returns false when it has enough.
  using Each = std::function<base::Result<bool>(record::Batch& batch)>;
  base::Result<void> run(const Each& each);

  // Before run() or keep_newest(): which records count by their state; the query selects and changes nothing.
  void take_states(std::function<bool(spool::State)> wanted) { wanted_ = std::move(wanted); }
  void keep_as_stored() { as_stored_ = true; }

  // Narrows the scan to the newest `count` records: run() then gives these only. True when there are older ones. Keeps eight
  // bytes a record.
  base::Result<bool> keep_newest(std::uint64_t count);

  // The label sets of the streams that the query's selector takes and that have records in the range, sorted, each once.
  base::Result<std::vector<record::LabelSetRef>> series();

  // At least: a spool whose write-ahead log is missing lacks one.
  [[nodiscard]] std::uint64_t unreadable_blocks() const { return unreadable_; }
  // Bytes of matching records that are held before some are put off, 2 MiB by default; twice that for a moment.
  void set_memory(std::size_t bytes) { memory_ = bytes; }

 private:
  struct Kept {
    base::Timestamp time;
    std::uint64_t order;  // block and place in it
    std::size_t index;    // in kept_
  };
  SpoolScan(std::unique_ptr<spool::Reader> reader, logql::LogQuery query, const spool::TimeRange& range,
            base::Diagnostics& diagnostics, std::vector<spool::BlockInfo> blocks);
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
  std::vector<spool::BlockInfo> blocks_;  // by first time
  std::size_t memory_ = 2 << 20;
  std::size_t allowed_ = 0;  // memory_, or more where one timestamp alone takes more
  std::uint64_t skip_ = 0;   // of the records at range_.from
  std::uint64_t unreadable_ = 0;
  std::function<bool(spool::State)> wanted_ = [](spool::State state) { return state != spool::State::rejected; };
  bool as_stored_ = false;
  record::Batch loaded_, kept_, spare_;
  std::vector<spool::State> states_;
  std::vector<Kept> entries_;
  std::string text_;
};

}  // namespace weir::scan
