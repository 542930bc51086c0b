// The streams of a spool that wait, because Loki limits them. Their records stay in the spool and are read again later.
//
// States of a stream:
// - flowing: not in this class. Each of its records is acknowledged by its own place.
// - waiting: a record of it was left in the spool. All later records are left too, so that the order holds. They are read again
//   in order.
// - resumed: no record of it is left. It counts as waiting until its lane is empty and the spool's stream has passed `until`.
//   Then release() makes it flow again.
// A stream that waited when the last run ended starts as resumed. The spool's stream brings its records again, up to `until`.
//
// The lane holds the records of the stream that were taken and whose fate is open, in order. Records before `start`, where the
// stream began to wait, are acknowledged by their own places and do not belong here.
//
//   event         | flowing              | waiting                     | resumed
//   arrive()      | nullopt              | kNoToken: it is left        | a token: it enters the lane
//   leave()       | waiting              | nothing                     | waiting; the record leaves the lane
//   read_again()  | nullopt              | a token: it enters the lane | a token: it enters the lane
//   resume()      | nothing              | resumed, may move           | resumed, may move
//   settle()      | -                    | may move                    | may move
//   release()     | nothing              | nothing                     | flowing, when the lane is empty and `until` is passed
//
// "Moves": the function returns how far the stream is. All of its records before that place are settled.
//
// Invariants:
// - A stream moves only over settled records at the front of its lane. So a stored position never passes an open record.
// - While a stream waits, what it reports never passes its first left record that was not read again.
//
// Why apart from the consumer: here is no spool and no lock, so a table can test every event in every state.
#pragma once

#include "delivery/delivery_lane.h"
#include "delivery/delivery_token.h"
#include "record/source.h"
#include "spool/place.h"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace weir::delivery {

// Not thread safe. `stream` is spool::stream_key(), `source` a place in a spool.
class WaitingStreams {
 public:
  struct Reached {
    std::uint64_t stream = 0;
    spool::BlockPlace from;  // all records of the stream before this place are settled
  };

  [[nodiscard]] bool empty() const { return streams_.empty(); }

  // The stream waited from `from` on when the last run ended.
  void restore(std::uint64_t stream, spool::BlockPlace from, spool::BlockPlace until);

  // A record arrives in the spool's stream. Nullopt: it is acknowledged by its own place. kNoToken: it is left too.
  [[nodiscard]] std::optional<PushToken> arrive(std::uint64_t stream, const record::Source& source);
  // The record stays in the spool. `token` is what arrive() gave, or the token of its place. False: the stream waited before.
  bool leave(std::uint64_t stream, const record::Source& source, PushToken token);
  // A left record was read from the spool again. Nullopt: it is acknowledged by its own place.
  [[nodiscard]] std::optional<PushToken> read_again(std::uint64_t stream, const record::Source& source);
  // No record of the stream is left. `position`: where the spool's stream is.
  [[nodiscard]] std::optional<Reached> resume(std::uint64_t stream, spool::BlockPlace position);

  // The record of this token has a fate. A second time changes nothing.
  [[nodiscard]] std::optional<Reached> settle(PushToken token);
  // The place of the record, while its fate is open.
  [[nodiscard]] std::optional<spool::BlockPlace> place(PushToken token);

  // The streams that flow again, now that the spool's stream is at `position`.
  [[nodiscard]] std::vector<std::uint64_t> release(spool::BlockPlace position);

 private:
  struct Stream {
    std::uint64_t key = 0;
    DeliveryLane lane;
    spool::BlockPlace start;  // where it began to wait
    spool::BlockPlace next;   // where its next record is expected
    spool::BlockPlace until;
    bool left = false;  // waiting; otherwise resumed
  };

  Stream& add(std::uint64_t stream, spool::BlockPlace from);
  [[nodiscard]] Stream* find(std::uint64_t stream, const record::Source& source);
  [[nodiscard]] Stream* stream_of(PushToken token);
  [[nodiscard]] PushToken enter(Stream& stream, const record::Source& source);
  [[nodiscard]] static Reached advance(Stream& stream);

  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;  // by stream
  std::unordered_map<std::uint32_t, Stream> streams_;         // by number
  std::uint32_t next_number_ = 0;
};

}  // namespace weir::delivery
