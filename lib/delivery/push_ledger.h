// Which records of a tracked stream are safe: takes what Loki acknowledged in any order, and moves positions in the order of the stream.
//
// Three kinds: none (nothing is tracked), a checkpoint file (positions of log files, `push --checkpoint`), and a consumer of a spool
// (behind a buffer, `push --spool`). What a record means is settled in two steps: see() on arrival gives it a token, and later its fate
// comes back by that token, from the thread that heard of it. Records out of a rejected store are tracked beside any of them.
//
// A record behind a spool may be left instead (leave()): it stays there unacknowledged, its stream waits, and is read again in order
// (read_again()) until nothing of it is left (resumed()).
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "loki/pusher.h"
#include "record/record.h"
#include "spool/consumer.h"
#include "spool/position_store.h"
#include "spool/rejected_store.h"
#include "delivery/delivery_lane.h"

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
  // The records of a `rejected` marker.
  base::Result<void> deliver_again(const std::string& path, std::uint64_t spool, const base::Stop* stop);
  // Positions are kept: what is not delivered now comes again at the next start.
  [[nodiscard]] bool tracks() const { return keeper_ || consumer_; }
  // The fate of records is to be told.
  [[nodiscard]] bool listens() const { return tracks() || redelivery_; }
  // What the consumer had acknowledged when it was opened.
  [[nodiscard]] const spool::PlaceSet& at_start() const { return at_start_; }

  // Every record and marker, in order. A token, or nullopt for what was safe before and must not be sent again.
  base::Result<std::optional<loki::PushToken>> see(const record::Record& record);
  // A marker: what it says about positions. Its place counts as safe once everything before it is.
  base::Result<void> see_marker(const record::Record& record);

  // The record that see() gave this token for is left in the spool.
  void leave(const record::Record& record, loki::PushToken token);
  // It is taken now.
  [[nodiscard]] loki::PushToken read_again(const record::Record& record);
  // Of the stream of this record nothing is left any more.
  void resumed(std::uint64_t stream);

  // The record is not to be sent at all (filtered, held, of a kind that cannot be pushed), and that is its fate.
  void settle(loki::PushToken token);
  void delivered(std::span<const loki::PushToken> tokens) override;
  // A record of a spool that is refused for its time stays in its block, and a range says why; so do others where many are refused. Where no
  // block holds it, as with a checkpoint file, it is counted and not kept: it stays in its log file.
  void rejected(loki::PushToken token, const loki::RejectedRecord& rejected) override;
  void waiting() override;

  // The block of a spool that the record of this token came out of, while its fate is open; 0 for none.
  [[nodiscard]] std::uint64_t block_of(loki::PushToken token);

  // For the transport's timer. Stores what moved, if the last time was a second ago; when to come again. Trouble is said and tried again.
  // What leaves a rejected store has no note beside the spool, and is stored ten times a second, or as soon as there are 1,000 records.
  base::Monotonic commit_due(base::Monotonic now);
  // For the thread that drives push: what it has settled and rejected itself is stored within a second, and after so many records, whether
  // there are answers or not. When to come again. While too much waits and the disk takes none, it does not return, unless stopped.
  base::Monotonic attend(base::Monotonic now);
  base::Result<void> commit();
  // At the end, after commit(). Error io: the file of the positions was deleted meanwhile.
  base::Result<void> close();

 private:
  // A stream that waits in the spool: its records that were taken, and where the next one is to be looked for.
  struct Waiting {
    std::uint64_t stream = 0;
    DeliveryLane lane;
    spool::BlockPlace start;  // where it began to wait; records before it are like all others
    spool::BlockPlace next;
    spool::BlockPlace until;  // up to here its records wait; behind it they are like all others
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
  std::unordered_map<std::uint32_t, DeliveryLane> lanes_;               // by log
  std::unordered_map<std::uint64_t, std::uint32_t> waiting_streams_;    // stream to number
  std::unordered_map<std::uint32_t, Waiting> waiting_;                  // by number
  std::uint32_t next_waiting_ = 0;
  std::vector<spool::PlaceSet::Stretch> stretches_;                     // scratch of delivered()
  bool dirty_ = false;
  base::Monotonic next_commit_ = 0;
  std::uint64_t unattended_ = 0;                 // settled and rejected since the last commit, or since what had come was noted and has its time
  base::Monotonic unattended_since_ = base::kNever;
  double whole_credit_;                          // bytes of rejected records that may be kept whole now
  base::Monotonic whole_filled_ = 0;
  bool not_kept_said_ = false;
  std::string common_of_, common_;               // the latest text, and what of it is true of many records
  const base::Stop* stop_ = nullptr;
};

}  // namespace weir::delivery
