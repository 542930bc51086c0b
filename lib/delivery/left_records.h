// Records that push has left in the spool because Loki does not take their streams as fast as they come: which streams those are, and
// reading them again, in order, when there is room.
//
// Between the spool and push may stand other stages, or other programs, that drop records or change them; what is read again has not been
// through them. So the records of a block are given up only after they were compared with what the spool holds: all of each stream, byte
// for byte. When they differ, nothing is left any more in this run.
#pragma once

#include "base/result.h"
#include "loki/pusher.h"
#include "base/clock.h"
#include "base/diagnostics.h"
#include "record/record.h"
#include "spool/reader.h"
#include "delivery/push_ledger.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::delivery {

// For the thread that drives push. The reader, ledger and pusher must outlive it.
class LeftRecords {
 public:
  // `acknowledged`: by earlier runs. `direct`: nothing stands between, and nothing is compared.
  LeftRecords(spool::Reader& reader, DeliveryLedger& ledger, loki::Pusher& pusher, base::Clock& clock, base::Diagnostics& diagnostics,
              spool::PlaceSet acknowledged, bool direct)
      : reader_(reader), ledger_(ledger), pusher_(pusher), clock_(clock), diagnostics_(diagnostics), acknowledged_(std::move(acknowledged)), direct_(direct) {}

  [[nodiscard]] bool empty() const { return streams_.empty(); }
  // Records that arrived and were left, and have not been read again.
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // Records of blocks that could not be read again.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  // Records that were left and were not there any more when it came to read them again, as far as that is known: while streams are
  // left, they still are in count().
  [[nodiscard]] std::uint64_t gone() const { return gone_; }
  // How many of count() are not in the spool any more, at least: they were evicted to make room.
  base::Result<std::uint64_t> evicted();
  // The stream whose records are left and which this one belongs to; 0 for none.
  [[nodiscard]] loki::StreamNumber find(const record::Record& record) const;

  // The pusher has left this record, which carries its place, or its stream is one that find() knows.
  void note(loki::StreamNumber number, record::Record& record, record::Batch& batch);
  // All records of this block have arrived.
  base::Result<void> block_ended(std::uint64_t block);
  // They are not those of the spool: no stream may be left any more, and once read_out() is true, take_back() gives what there is.
  [[nodiscard]] bool altered() const { return altered_; }
  // There is too much that could not be compared yet, since it is not stored yet: no more should be taken.
  [[nodiscard]] bool full() const;

  // Gives the pusher what it wants of what was left: `take` gets each record with its token. False when that is all for now.
  using Take = std::function<base::Result<void>(record::Record&, record::Batch&, loki::PushToken)>;
  base::Result<bool> feed(const Take& take);
  // Everything that was compared has been read again.
  [[nodiscard]] bool read_out() const;
  // The rest, from memory; nothing is left then.
  base::Result<void> take_back(const Take& take);

 private:
  struct Key {
    record::LabelSetRef labels;
    std::string tenant;
    spool::BlockPlace from;  // of its first record that was left
  };
  struct Stream {
    std::vector<Key> keys;       // several label sets may be one stream to Loki
    spool::BlockPlace next;      // where to read on
    std::uint64_t held = 0;      // records of blocks that have not ended or were not compared yet
  };
  // Copies of what was left of one block.
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
  std::deque<Held> pending_;     // whole blocks
  std::uint64_t last_block_ = 0;  // that has ended
  std::uint64_t count_ = 0, lost_ = 0, gone_ = 0;
  record::Batch again_;
};

}  // namespace weir::delivery
