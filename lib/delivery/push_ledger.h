// Knows which records of a tracked stream are safe. Loki acknowledges in any order; the ledger moves positions in the order of
// the stream.
//
// There are three kinds: no tracking, a checkpoint file (positions of log files, `push --checkpoint`), and a consumer of a
// spool (behind a buffer, `push --spool`). Records from a rejected store are tracked beside any of them.
//
// States of a record:
// - open: see() gave it a token. Its fate is unknown.
// - settled: the token came back, by delivered(), rejected() or settle(). A second time changes nothing.
// - repeat: an earlier run had settled it. see() gives no token, and the record must not be sent.
// - left (only behind a spool): leave() said that it stays in the spool, unacknowledged. read_again() opens it later.
//
// States of a stream behind a spool:
// - flowing: each record is acknowledged by its own place.
// - waiting: a record was left. All later records of the stream are left too, so that the order holds. They are read again in
//   order, and the consumer learns by wait_from() how far the stream is.
// - resumed: nothing is left. The stream still counts as waiting until its lane is empty and the spool's stream has passed
//   `until`.
// - A stream that waited when the last run ended starts as resumed: the spool's stream brings its records again up to `until`.
//
// Events: see(), see_marker(), leave(), read_again() and resumed() come from the thread that drives push. A fate comes from the
// thread that learns it. commit_due() comes from the transport's timer, attend() and waiting() from the thread that drives
// push.
//
// Invariants:
// - A stored position never passes a record whose fate is open. A log's lane moves only over settled records at its front, and
//   stdout and stderr move apart. A waiting stream moves only over settled records at the front of its own lane.
// - First note() keeps progress beside the file, where it survives our own death. Then commit() stores it, where it survives a
//   power loss.
// - What waits for commit() in memory is bounded: attend() blocks while the bound is reached and the disk refuses.
//
// Why one class: a fate may move a lane, the consumer and a rejected store together. One lock keeps them consistent, and one
// commit() stores them.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "delivery/delivery_lane.h"
#include "loki/pusher.h"
#include "record/record.h"
#include "spool/consumer.h"
#include "spool/position_store.h"
#include "spool/rejected_store.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::delivery {

// Thread safe.
class DeliveryLedger : public loki::PushLedger {
 public:
  static constexpr loki::PushToken kNoToken = ~loki::PushToken{0};

  // `url` is shown in the rejected store.
  DeliveryLedger(std::string url, base::Clock& clock, base::Diagnostics& diagnostics);
  ~DeliveryLedger() override;

  base::Result<void> keep_positions(const std::string& checkpoint, base::Duration wait, const base::Stop* stop);
  base::Result<void> consume_spool(const spool::ConsumerOptions& options, const base::Stop* stop);
  // Also tracks the records that follow a `rejected` marker.
  base::Result<void> deliver_again(const std::string& path, std::uint64_t spool, const base::Stop* stop);
  // Positions are kept, so a record that is not delivered comes again at the next start.
  [[nodiscard]] bool tracks() const { return keeper_ || consumer_; }
  // The ledger must hear the fate of records.
  [[nodiscard]] bool listens() const { return tracks() || redelivery_; }
  // What the consumer had acknowledged when it was opened.
  [[nodiscard]] const spool::PlaceSet& at_start() const { return at_start_; }

  // Call it for every record and marker, in order. Gives a token, or nullopt when the record was safe before and must not be
  // sent again. kNoToken: the record is not tracked.
  base::Result<std::optional<loki::PushToken>> see(const record::Record& record);
  // Takes in what a marker says about positions. Its own place counts as safe once everything before it is safe.
  base::Result<void> see_marker(const record::Record& record);

  // The record stays in the spool. `token` is what see() gave for it.
  void leave(const record::Record& record, loki::PushToken token);
  // A left record has been read from the spool again and is sent. Gives its token.
  [[nodiscard]] loki::PushToken read_again(const record::Record& record);
  // The stream has no left records.
  void resumed(std::uint64_t stream);

  // The record is not sent at all (filtered, held, of a kind that cannot be pushed). That is its fate.
  void settle(loki::PushToken token);
  void delivered(std::span<const loki::PushToken> tokens) override;
  // A spool's record that is refused for its time stays in its block, and a range in the rejected store says why. The same
  // holds when many records are refused. Where no block holds the record, as with a checkpoint file, it is counted and not
  // kept: it stays in its log file.
  void rejected(loki::PushToken token, const loki::RejectedRecord& rejected) override;
  void waiting() override;

  // The block of the spool that the record of this token came from, while its fate is open; 0 for none.
  [[nodiscard]] std::uint64_t block_of(loki::PushToken token);

  // For the transport's timer. Stores progress when the last time was at least a second ago. Returns when to come again. A
  // failure is reported, and tried again. Progress in a rejected store has no note beside the spool, so it is stored ten times
  // a second, or at 1,000 records.
  base::Monotonic commit_due(base::Monotonic now);
  // For the thread that drives push. Stores within a second, or after so many records, what this thread has settled or rejected
  // itself, even when no answers come. Returns when to come again. Blocks while too much waits and the disk refuses, until a
  // stop.
  base::Monotonic attend(base::Monotonic now);
  base::Result<void> commit();
  // At the end, after commit(). Error io: the checkpoint file was deleted in the meantime.
  base::Result<void> close();

 private:
  // A waiting stream: its open records that were taken, and where the next one is expected.
  struct Waiting {
    std::uint64_t stream = 0;
    DeliveryLane lane;
    spool::BlockPlace start;  // where it began to wait; earlier records are acknowledged by their own places
    spool::BlockPlace next;
    spool::BlockPlace until;  // its records wait up to here; later ones are acknowledged by their own places
    bool left = false;
  };

  [[nodiscard]] loki::PushToken enter(const record::Source& source, bool marker);
  [[nodiscard]] loki::PushToken enter_waiting(Waiting& waiting, const record::Source& source);
  [[nodiscard]] Waiting* waiting_of(const record::Record& record);
  Waiting& wait(std::uint64_t stream, spool::BlockPlace from);
  void settle_locked(loki::PushToken token);
  void advance(Waiting& waiting);
  void release_waiting();
  base::Result<void> commit_locked();
  base::Result<void> try_commit();
  [[nodiscard]] std::size_t rejections_waiting() const;
  [[nodiscard]] bool too_many_wait() const;
  [[nodiscard]] bool keeps_whole(const loki::RejectedRecord& rejected);
  void reject_in_place(spool::BlockPlace place, const loki::RejectedRecord& rejected);
  [[nodiscard]] std::string whole_record(const loki::RejectedRecord& rejected, std::string_view object) const;

  const std::string url_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  std::mutex mutex_;
  std::unique_ptr<spool::PositionStore> store_;
  std::optional<spool::Keeper> keeper_;
  std::unique_ptr<spool::Consumer> consumer_;
  std::unique_ptr<spool::RejectedRedelivery> redelivery_;
  std::uint64_t redelivery_spool_ = 0;
  spool::PlaceSet at_start_;
  std::unordered_map<std::uint32_t, DeliveryLane> lanes_;             // by log
  std::unordered_map<std::uint64_t, std::uint32_t> waiting_streams_;  // stream to number
  std::unordered_map<std::uint32_t, Waiting> waiting_;                // by number
  std::uint32_t next_waiting_ = 0;
  std::vector<spool::PlaceSet::Stretch> stretches_;  // scratch of delivered()
  bool dirty_ = false;
  base::Monotonic next_commit_ = 0;
  std::uint64_t unattended_ = 0;  // settled records, rejected records and markers since the last commit or note
  base::Monotonic unattended_since_ = base::kNever;
  double whole_credit_;  // bytes of rejected records that may be kept whole
  base::Monotonic whole_filled_ = 0;
  bool not_kept_said_ = false;
  std::string common_of_, common_;  // the latest text, and the part of it that is true of many records
  const base::Stop* stop_ = nullptr;
};

}  // namespace weir::delivery
