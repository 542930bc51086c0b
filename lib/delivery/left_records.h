// Records that push has left in the spool because Loki does not take their streams as fast as they come. This class knows the
// streams, and reads their records again, in order, when the pusher has room.
//
// Other stages or programs between the spool and push may drop records or change them. A record that is read again does not
// pass through them. So the copies of a block's left records are given up only after a comparison with the spool: all records
// of each left stream, byte for byte.
//
// States of a block's copies:
// - current: the block has not ended.
// - pending: the block has ended and is not compared.
// - compared and equal: the copies are dropped, and the block may be read again. The same when the block was evicted: the
//   writer counts that.
// - different, or the block cannot be read: `altered_` is set for the rest of the run. No stream may be left from then on.
//
// States of a left stream: it waits; the pusher wants more (streams_wanting_more()), so its next block is read; all of its records
// were read and nothing of it is held, so it is resumed and forgotten.
//
// Events: add() and block_ended() from the stream that arrives, feed() when there is time, take_back() once, after `altered_`.
//
// Invariants:
// - Only blocks up to compared() are read again, each stream from its `next` on, so every left record is given once and in
//   order.
// - A record is skipped when it is held, was acknowledged by an earlier run, or lies before the first left record of its
//   stream.
// - A stream is resumed only when it has no copies.
// - Copies are bounded: when full() the caller must take no more input.
//
// With `direct` nothing stands between, so there are no copies and no comparison.
//
// Why compare: otherwise a filter between spool and push would be bypassed, or a changed record would be sent as stored.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "delivery/delivery_ledger.h"
#include "loki/pusher.h"
#include "record/record.h"
#include "spool/reader.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::delivery {

// For the thread that drives push. Reader, ledger and pusher must outlive it.
class LeftRecords {
 public:
  // `acknowledged`: by earlier runs. `direct`: no stage or program stands between the spool and push.
  LeftRecords(spool::Reader& reader, DeliveryLedger& ledger, loki::Pusher& pusher, base::Clock& clock,
              base::Diagnostics& diagnostics, spool::PlaceSet acknowledged, bool direct)
      : reader_(reader),
        ledger_(ledger),
        pusher_(pusher),
        clock_(clock),
        diagnostics_(diagnostics),
        acknowledged_(std::move(acknowledged)),
        direct_(direct) {}

  [[nodiscard]] bool empty() const { return streams_.empty(); }
  // Records that arrived, were left, and have not been read again.
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // Records of blocks that could not be read again.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  // Records that were left, and were no longer there when they were to be read again, as far as that is known. While streams are
  // left, count() includes them.
  [[nodiscard]] std::uint64_t gone() const { return gone_; }
  // At least how many of count() are gone from the spool, because they were evicted to make room.
  base::Result<std::uint64_t> evicted();
  // The left stream that this record belongs to; 0 for none.
  [[nodiscard]] loki::StreamNumber find(const record::Record& record) const;

  // Call it for a record that the pusher has left, or whose stream find() knows. The record carries its place in the spool.
  void add(loki::StreamNumber number, record::Record& record, record::Batch& batch);
  // All records of this block have arrived.
  base::Result<void> block_ended(std::uint64_t block);
  // The records differ from those of the spool. No stream may be left from here on. Once read_out() is true, take_back() gives
  // the rest.
  [[nodiscard]] bool altered() const { return altered_; }
  // Too many copies wait for a comparison, because their blocks are not stored yet. Take no more input.
  [[nodiscard]] bool full() const;

  // Gives the pusher the left records that it wants. `take` gets each record with its token. False when that is all for the
  // moment.
  using Take = std::function<base::Result<void>(record::Record&, record::Batch&, loki::PushToken)>;
  base::Result<bool> feed(const Take& take);
  // Everything that was compared has been read again.
  [[nodiscard]] bool read_out() const;
  // Gives the rest from memory. Afterwards no stream is left.
  base::Result<void> take_back(const Take& take);

 private:
  struct Key {
    record::LabelSetRef labels;
    std::string tenant;
    spool::BlockPlace from;  // the place of its first left record
  };
  struct Stream {
    std::vector<Key> keys;   // several label sets may be one stream to Loki
    spool::BlockPlace next;  // where reading goes on
    std::uint64_t held = 0;  // records with copies, or of a block that has not ended
  };
  // Copies of the left records of one block.
  struct Held {
    std::uint64_t block = 0;
    record::Batch records;
  };
  enum class Compared : std::uint8_t { same, other, not_there };

  base::Result<Compared> compare(Held& held);
  base::Result<void> compare_pending();
  [[nodiscard]] const Key* key_of(const record::Record& record) const;
  [[nodiscard]] std::uint64_t compared() const;
  base::Result<void> read_block(const std::vector<loki::StreamNumber>& numbers, const Take& take);
  void resume(loki::StreamNumber number);

  spool::Reader& reader_;
  DeliveryLedger& ledger_;
  loki::Pusher& pusher_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  const spool::PlaceSet acknowledged_;
  const bool direct_;
  bool altered_ = false;
  std::map<loki::StreamNumber, Stream> streams_;
  std::unordered_map<const record::LabelSet*, std::vector<loki::StreamNumber>> by_labels_;
  Held current_;
  std::deque<Held> pending_;      // blocks that have ended
  std::uint64_t last_block_ = 0;  // the latest block that has ended
  std::uint64_t count_ = 0, lost_ = 0, gone_ = 0;
  record::Batch again_;
};

}  // namespace weir::delivery
