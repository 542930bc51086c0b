// Knows which records of a tracked stream are safe. Loki acknowledges in any order; the ledger moves positions in the order of
// the stream.
//
// It is one lock over two parts: a PositionLedger (nothing tracked, a checkpoint file, or a consumer of a spool) and a
// Redelivery (records from a rejected store). Either part may begin while the other one is at work. position_ledger.h has the
// states of a record, waiting_streams.h those of a stream that Loki limits.
//
// Events: track(), track_marker(), leave(), read_again() and resume() come from the thread that drives push. A fate comes from
// the thread that learns it. commit_due() comes from the transport's timer, commit_pending() and input_waits() from the thread
// that drives push.
//
// Invariants:
// - A stored position never passes a record whose fate is open.
// - First progress is kept beside the file, where it survives our own death. Then commit() stores it, where it survives a power
//   loss.
// - What waits for commit() in memory is bounded: commit_pending() blocks while the bound is reached and the disk refuses.
//
// Why one lock: a fate may move a log's lane, the consumer and a rejected store together, and one commit() stores them.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "delivery/position_ledger.h"
#include "delivery/redelivery.h"
#include "loki/pusher.h"
#include "record/record.h"
#include "spool/consumer.h"
#include "spool/status_file.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

namespace weir::delivery {

// Thread safe, with one exception: what opens a part, track(), tracks() and listens() belong to the thread that drives push.
class DeliveryLedger : public loki::PushLedger {
 public:
  // `url` is shown in the rejected store. `stop` may be null: it ends waits for a full disk. Nothing is tracked at first.
  DeliveryLedger(std::string url, base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop);
  ~DeliveryLedger() override;

  // Each of the three opens a part. At most one of the first two may be called, once.
  // `file_done` is called with the source of each file that is done with (spool::Keeper::on_done), by any thread, and with the lock
  // held: it must not call the ledger.
  base::Result<void> keep_positions(const std::string& checkpoint, base::Duration wait,
                                    std::function<void(const record::Source&)> file_done = nullptr);
  // Returns what earlier runs have acknowledged.
  base::Result<spool::PlaceSet> consume_spool(const spool::ConsumerOptions& options);
  // Also tracks the records that follow a `rejected` marker. The same spool again changes nothing. Records of another spool's
  // rejected store must have a fate, and be committed, before. Errors: those of Redelivery::open().
  base::Result<void> deliver_again(const std::string& path, std::uint64_t spool);
  // Records from another spool's rejected store are delivered again, so their fate must be known before deliver_again().
  [[nodiscard]] bool redelivers_another(std::uint64_t spool) const {
    return redelivery_.is_open() && !redelivery_.is_open_for(spool);
  }
  // Positions are kept, so a record that is not delivered comes again at the next start.
  [[nodiscard]] bool tracks() const { return tracks_; }
  // The ledger must learn the fate of records.
  [[nodiscard]] bool listens() const { return listens_; }

  // Call it for every record and marker, in order. Gives a token, or nullopt when the record was safe before and must not be
  // sent again. kNoToken: the record is not tracked.
  base::Result<std::optional<PushToken>> track(const record::Record& record);
  base::Result<void> track_marker(const record::Record& record);

  // The next three are for records of a spool, as PositionLedger's.
  void leave(const record::Record& record, PushToken token);
  [[nodiscard]] PushToken read_again(const record::Record& record);
  void resume(std::uint64_t stream);
  // The block of the spool that the record of this token came from, while its fate is open; 0 for none.
  [[nodiscard]] std::uint64_t block_of(PushToken token);

  // The record is not sent at all (filtered, held, of a kind that cannot be pushed). That is its fate.
  void settle(PushToken token);
  void delivered(std::span<const PushToken> tokens) override;
  void rejected(PushToken token, const loki::RejectedRecord& rejected) override;
  void input_waits() override;

  // For the transport's timer. Stores progress when the last time was at least a second ago. Returns when to come again. A
  // failure is reported, and tried again. Progress in a rejected store has no note beside the spool, so it is stored ten times
  // a second, or at 1,000 records.
  base::Monotonic commit_due(base::Monotonic now);
  // For the thread that drives push. Stores within a second, or after so many records, what this thread has settled or rejected
  // itself, even when no answers come. Returns when to come again. Blocks while too much waits and the disk refuses, until a
  // stop.
  base::Monotonic commit_pending(base::Monotonic now);
  base::Result<void> commit();
  // Where this process says how it is, beside the file that keeps the positions; null while nothing is tracked. Any thread may use
  // it.
  [[nodiscard]] spool::StatusFile* status() { return status_ ? &*status_ : nullptr; }
  // Whether progress can be stored.
  struct Storing {
    std::uint64_t failures = 0;                    // times that it could not be
    base::Monotonic failing_since = base::kNever;  // kNever: the latest time it could be
    std::string cause;                             // of the latest failure
  };
  [[nodiscard]] Storing storing();

  // At the end, after commit(). Error io: the checkpoint file was deleted in the meantime.
  base::Result<void> close();

 protected:
  // Stands around the time for which the thread that drives push waits because another thread stores: begins, then ends.
  virtual void waits_for_disk(bool begins) { static_cast<void>(begins); }

 private:
  // For the thread that drives push.
  [[nodiscard]] std::unique_lock<std::mutex> lock_driving();
  void use(std::unique_ptr<PositionLedger> positions);
  void begin_status(std::string path, std::uint64_t spool);
  void changed(bool moved) { dirty_ = dirty_ || moved; }
  void kept();
  base::Result<void> commit_locked();
  base::Result<void> try_commit();
  [[nodiscard]] bool too_much_waits() const;

  const LedgerContext context_;
  std::mutex mutex_;
  std::unique_ptr<PositionLedger> positions_;
  Redelivery redelivery_;
  std::optional<spool::StatusFile> status_;
  bool tracks_ = false, listens_ = false;  // written by the thread that drives push, which alone reads them without the lock
  bool dirty_ = false;                     // something waits for a note or a commit
  base::Monotonic next_commit_ = 0;
  Storing storing_;
  // Settled records, rejected records and markers since the last commit or note, of which the transport's timer may not know.
  std::uint64_t pending_ = 0;
  base::Monotonic pending_since_ = base::kNever;
};

}  // namespace weir::delivery
