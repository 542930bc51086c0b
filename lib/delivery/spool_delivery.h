// What push does only behind a spool: records of limited streams stay in the spool and are read again, a backlog is delivered at
// a limited rate, and at the end the records are counted that the spool has evicted.
//
// A backlog is what the spool holds from over a minute before the start, or what an outage has left. Blocks up to `backlog_end_`
// belong to it. While the pusher delivers one, gauge() tells it every 5 s how much comes into the spool.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/stop.h"
#include "delivery/delivery_ledger.h"
#include "delivery/left_records.h"
#include "delivery/spool_backlog.h"
#include "delivery/spool_gauge.h"
#include "loki/pusher.h"
#include "record/record.h"
#include "spool/reader.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace weir::delivery {

// For the thread that drives push; records_waiting() for any thread, one call at a time. The ledger must outlive it.
class SpoolDelivery {
 public:
  struct Options {
    std::string spool;
    std::string consumer;
    spool::PlaceSet acknowledged;  // by earlier runs
    bool direct = false;           // no stage or program stands between the spool and push
  };
  // Error: the spool cannot be read.
  static base::Result<std::unique_ptr<SpoolDelivery>> open(Options options, DeliveryLedger& ledger, base::Clock& clock,
                                                           base::Diagnostics& diagnostics, const base::Stop* stop);
  SpoolDelivery(Options options, std::unique_ptr<spool::Reader> reader, DeliveryLedger& ledger, base::Clock& clock,
                base::Diagnostics& diagnostics, const base::Stop* stop);

  // The spool's last time makes the wall clock doubtful.
  [[nodiscard]] bool doubts_clock() const { return gauge_.doubts_clock(); }
  // How many records wait in the spool, roughly, for PusherConfig::in_spool.
  [[nodiscard]] std::optional<std::uint64_t> records_waiting() { return backlog_.count(); }

  // Call it once, before the first record. Tells the pusher of a backlog, when there is one. The pusher must outlive this object.
  // Until then no record can be left. Error: the spool cannot be read.
  base::Result<void> attach(loki::Pusher& pusher);
  [[nodiscard]] bool attached() const { return pusher_ != nullptr; }

  // The next three only when attached(). An earlier record of the same stream was left, so this one is left too. False: it is to be
  // sent.
  bool leave_behind_others(record::Record& record, record::Batch& batch);
  // The pusher does not take the record. `number` and `token` are what the pusher and the ledger gave for it.
  void leave(loki::StreamNumber number, record::Record& record, PushToken token, record::Batch& batch);
  [[nodiscard]] bool is_backlog(const record::Record& record) const { return record.source.block <= backlog_end_; }
  // All records of this block have arrived. Error: the spool cannot be read.
  base::Result<void> block_ended(std::uint64_t block, const LeftRecords::Take& take);

  // Gives the pusher the left records that it wants, through `take`. Waits while no more input may be taken. Errors: the spool
  // cannot be read, those of Pusher::tick(), interrupted.
  base::Result<void> read_left(const LeftRecords::Take& take);
  // When read_left() is due, after it was called at `now`.
  [[nodiscard]] base::Monotonic due(base::Monotonic now) const;
  [[nodiscard]] bool nothing_left() const { return !left_ || left_->empty(); }
  // Waits a moment, or until the stop.
  void pause() const;
  static constexpr base::Duration kReadEvery = 50 * base::kMillisecond;  // while records are left in the spool

  // Counts the records that came here, were not delivered, and were evicted by the spool's writer: nobody sends them again.
  base::Result<void> count_evicted();
  [[nodiscard]] std::uint64_t evicted_pending() const { return evicted_pending_; }  // of records that the pusher held
  [[nodiscard]] std::uint64_t evicted_left() const { return evicted_left_; }        // of left records
  [[nodiscard]] std::uint64_t evicted() const { return evicted_pending_ + evicted_left_; }

  // As LeftRecords'.
  [[nodiscard]] std::uint64_t left() const { return left_ ? left_->count() : 0; }
  [[nodiscard]] std::uint64_t lost() const { return left_ ? left_->lost() : 0; }
  [[nodiscard]] std::uint64_t gone() const { return left_ ? left_->gone() : 0; }

 private:
  base::Result<void> gauge();

  const Options options_;
  std::unique_ptr<spool::Reader> reader_;
  DeliveryLedger& ledger_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  const base::Stop* stop_;
  loki::Pusher* pusher_ = nullptr;  // from attach() on
  SpoolGauge gauge_;
  SpoolBacklog backlog_;
  std::optional<LeftRecords> left_;  // from attach() on
  std::uint64_t backlog_end_ = 0;    // block
  base::Monotonic gauge_due_ = base::kNever;
  bool altered_reported_ = false;
  std::uint64_t evicted_pending_ = 0, evicted_left_ = 0;
};

}  // namespace weir::delivery
