// Which records of a tracked stream are safe: takes what Loki acknowledged in any order, and moves positions in the order of the stream.
//
// Three kinds: none (nothing is tracked), a checkpoint file (positions of log files, `push --checkpoint`), and a consumer of a spool
// (behind a buffer, `push --spool`). What a record means is settled in two steps: see() on arrival gives it a token, and later its fate
// comes back by that token, from the thread that heard of it.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "loki/pusher.h"
#include "record/record.h"
#include "spool/consumer.h"
#include "spool/position_store.h"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace weir::stages {

// Thread safe.
class DeliveryLedger : public loki::PushLedger {
 public:
  static constexpr loki::PushToken kNoToken = ~loki::PushToken{0};

  // `url` is shown in the rejected store.
  DeliveryLedger(std::string url, base::Clock& clock, base::Diagnostics& diagnostics);
  ~DeliveryLedger() override;

  base::Result<void> keep_positions(const std::string& checkpoint, base::Duration wait, const base::Stop* stop);
  base::Result<void> consume_spool(const spool::ConsumerOptions& options, const base::Stop* stop);
  [[nodiscard]] bool tracks() const { return keeper_ || consumer_; }

  // Every record and marker, in order. A token, or nullopt for what was safe before and must not be sent again.
  base::Result<std::optional<loki::PushToken>> see(const record::Record& record);
  // A marker: what it says about positions. Its place counts as safe once everything before it is.
  base::Result<void> see_marker(const record::Record& record);

  // The record is not to be sent at all (filtered, held, of a kind that cannot be pushed), and that is its fate.
  void settle(loki::PushToken token);
  void delivered(std::span<const loki::PushToken> tokens) override;
  void rejected(loki::PushToken token, const loki::RejectedRecord& rejected) override;

  // Stores what moved, if the last time was a second ago; when to come again. Trouble is said and tried again.
  base::Monotonic commit_due(base::Monotonic now);
  base::Result<void> commit();

 private:
  struct Entry {
    record::Source source;
    bool marker = false;
    bool settled = false;
  };
  // The records of one log in their order, from the first whose fate is not known.
  struct Lane {
    std::deque<Entry> entries;
    std::uint64_t first = 0;  // index of entries.front()
  };

  std::optional<loki::PushToken> enter(const record::Source& source, bool marker);
  void settle_locked(loki::PushToken token);
  void advance(Lane& lane);
  base::Result<void> commit_locked();

  const std::string url_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  std::mutex mutex_;
  std::unique_ptr<spool::PositionStore> store_;
  std::optional<spool::Keeper> keeper_;
  std::unique_ptr<spool::Consumer> consumer_;
  std::unordered_map<std::uint32_t, Lane> lanes_;
  bool dirty_ = false;
  base::Monotonic next_commit_ = 0;
};

}  // namespace weir::stages
