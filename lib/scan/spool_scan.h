// The records of one or several spools that match a log query, in the order of their time, within bounded memory.
#pragma once

#include "base/result.h"
#include "logql/log_query.h"
#include "record/record.h"
#include "scan/damage.h"
#include "scan/limits.h"
#include "scan/log_matcher.h"
#include "scan/ordered_scan.h"
#include "scan/spool_set.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::scan {

// Not thread safe. Does not see what is stored after open(). What is evicted meanwhile is missing, and run() says how much that is.
class SpoolScan {
 public:
  // Several spools are read as one. `query` may have no selector. `damage` is told what cannot be read.
  static base::Result<std::unique_ptr<SpoolScan>> open(std::span<const std::string> paths, const std::string& query,
                                                       const spool::TimeRange& range, Damage damage);
  static base::Result<std::unique_ptr<SpoolScan>> open(std::span<const std::string> paths, logql::LogExpr query,
                                                       const spool::TimeRange& range, Damage damage);
  static base::Result<std::unique_ptr<SpoolScan>> open(const std::string& path, const std::string& query,
                                                       const spool::TimeRange& range, Damage damage);
  // Of a spool that is open already, whatever its path leads to by now.
  static base::Result<std::unique_ptr<SpoolScan>> open(std::shared_ptr<spool::Reader> reader, const std::string& query,
                                                       const spool::TimeRange& range, Damage damage);

  // Calls `each` with batches of matching records, oldest first; equal times come in the order of the paths, and within one
  // spool in the order of storing. Held records have their mark. Rejected ones are left out, unless take_states() says
  // otherwise. `source` is none. Line, labels, metadata and `parsed` are the query's result, or the stored ones after
  // keep_as_stored(). `each` returns false when it wants no more.
  using Each = scan::Each;
  base::Result<void> run(const Each& each);

  // take_states(): chooses records by their state; several threads may ask. keep_as_stored(): the query only selects, and changes
  // nothing. Call both before run() or keep_newest().
  void take_states(WantedState wanted) { wanted_ = std::move(wanted); }
  // Takes the records of one tenant alone, "" those without one; nullopt, the default: those of all tenants. Blocks without records
  // of this tenant are not unpacked. Counts for series() and count_blocks() too. Call it before all of these.
  void take_tenant(WantedTenant tenant) { tenant_ = std::move(tenant); }
  // Leaves out streams, beside those that the query does not select. Only the thread of run() asks, so no other one reads blocks.
  void take_streams(std::function<bool(const record::LabelSet&)> wanted) { options_.streams = std::move(wanted); }
  // Leaves out blocks that hold nothing wanted, without opening them. Call it before run() or keep_newest().
  void take_blocks(const std::function<bool(const spool::BlockInfo&)>& wanted) {
    spools_.keep([&](const Block& block) { return wanted(block.info); });
  }
  void keep_as_stored() { options_.as_stored = true; }
  // Records that report a gap match when the selector takes them, whatever the stages of the query say. With keep_as_stored(), and
  // before run().
  void keep_gaps() { options_.gaps = true; }

  // Whoever takes no more than the first `count` records that run() hands on says so before: no block then keeps more of them in
  // memory. What comes behind them is not complete.
  void expect_at_most(std::uint64_t count) { first_ = count; }

  // Limits run() to the newest `count` records. True when there are older ones. Takes eight bytes of memory per record.
  base::Result<bool> keep_newest(std::uint64_t count);

  // The label sets of the streams that the selector takes and that have records in the range: sorted, without repeats. Streams of
  // two tenants with equal labels are one.
  base::Result<std::vector<record::LabelSetRef>> series();
  // How many blocks have such a stream in the range, by their lists of streams.
  base::Result<std::uint64_t> count_blocks();

  // How far run() or keep_newest() is. A watch that returns false ends either at once.
  using Work = scan::Work;
  using Watch = scan::Watch;
  void watch(Watch watch) { watch_ = std::move(watch); }

  // A lower bound, of all scans that share the account of the damage: when a spool has lost its write-ahead log, one block is
  // counted, however many are missing.
  [[nodiscard]] std::uint64_t unreadable_blocks() const { return spools_.unreadable(); }
  // Before run() and keep_newest().
  void set_limits(const Limits& limits) { limits_ = limits; }

 private:
  SpoolScan(SpoolSet spools, logql::LogQuery query, const spool::TimeRange& range)
      : spools_(std::move(spools)), query_(std::move(query)), range_(range) {}
  static base::Result<std::unique_ptr<SpoolScan>> open(std::span<const std::string> paths, logql::LogQuery query,
                                                       const spool::TimeRange& range, Damage damage);
  base::Result<std::unique_ptr<OrderedScan>> plan(bool times);
  // Calls `each` with every block and every stream of it that is wanted in the range.
  base::Result<void> each_stream(const std::function<void(const Block&, const spool::StreamInfo&)>& each);

  SpoolSet spools_;
  logql::LogQuery query_;
  spool::TimeRange range_;
  Limits limits_;
  LogMatcher::Options options_;
  WantedState wanted_ = [](spool::State state) { return state != spool::State::rejected; };
  WantedTenant tenant_;
  Watch watch_;
  std::uint64_t first_ = 0;     // how many records run() has to hand on; 0: all
  std::uint64_t skip_ = 0;      // how many of the records at range_.from to skip
  std::uint64_t searched_ = 0;  // bytes of the blocks that keep_newest() has read
};

}  // namespace weir::scan
