// What push counts: the cells that a scrape reads, and the summary of a run.
#pragma once

#include "base/clock.h"
#include "delivery/delivery_ledger.h"
#include "loki/pusher.h"
#include "metrics/registry.h"
#include "pipeline/counters.h"
#include "pipeline/stage.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weir::stages {

// The stage adds to the public members and calls publish() once a batch. For the thread that drives push.
class PushMetrics {
 public:
  // Records of a spool that push left there.
  struct Spool {
    std::uint64_t left = 0;             // now
    std::uint64_t lost = 0, gone = 0;   // as LeftRecords counts them
    std::uint64_t evicted_left = 0;     // of `left`, as far as it is known
    std::uint64_t evicted_pending = 0;  // of the records that the pusher holds, as far as it is known
  };

  explicit PushMetrics(const pipeline::Context& context);

  pipeline::Tally in;
  std::uint64_t sent_before = 0, held = 0, not_matched = 0, samples = 0;  // records that are not sent
  std::uint64_t held_nowhere = 0;                                         // of `held`: no spool keeps them
  Spool spool;

  // Brings the cells up to date.
  void publish();
  void publish(const loki::PusherStats& stats);
  // What only a look at all streams says. Raises the troubles `delivery` and `positions` where they last for over 10 s.
  void note(const loki::PusherWaits& waits, const delivery::DeliveryLedger::Storing& storing, base::Monotonic now,
            base::Timestamp wall);
  static constexpr base::Duration kTroubleAfter = 10 * base::kSecond;

  [[nodiscard]] pipeline::Counters counters() const { return pipeline::counters_of(block_); }
  // One sentence about a run of `took`. `started`: some record or marker came.
  [[nodiscard]] std::string summary(bool started, base::Duration took) const;

 private:
  std::map<std::string, std::uint64_t, std::less<>> published_rejected_;  // by reason
  metrics::Block block_;
  metrics::Counter records_in_, bytes_in_, delivered_, delivered_bytes_;
  metrics::Family dropped_, rejected_;
  metrics::Gauge pending_, left_;
  metrics::Counter lost_, requests_, retries_, sent_bytes_, repaired_, renamed_;
  std::map<int, std::uint64_t> published_answers_;
  metrics::Family answers_;
  metrics::Counter rate_limited_, checkpoint_failures_;
  metrics::Histogram times_;
  metrics::Gauge last_success_, oldest_, backoff_;
  metrics::TroubleFlag delivery_, positions_;
};

}  // namespace weir::stages
