// One named consumer of a spool: `push` behind a buffer, or `push --spool SPOOL --as NAME`. Holds the name's lock while it lives.
//
//   auto consumer = Consumer::open({.path = …, .name = "main", .spool = begin.spool}, clock, stop);
//   for every record and marker in the order of the stream:
//     if (consumer->see(record) == Verdict::repeat) continue;      // acknowledged by an earlier run: do not send it again
//   on 2xx:      consumer->acknowledge(block, first, last);
//   refused:     consumer->reject(block, ordinal, rejection);      // acknowledges it, too
//   after each answer: consumer->note();                           // survives our own death from here on
//   once a second, and at the end: consumer->commit();             // survives more than that
//
// see() notices what is missing in the stream: what lies between two things that arrive was dropped on purpose (held, filtered,
// evicted) and counts as acknowledged once the later one has arrived.
//
// A stream whose records cannot be taken for the time being waits: leave() says so of each of them as it arrives. They stay where
// they are, are read again from the spool later, and are acknowledged in their order, by wait_from(). The next start brings them
// too.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "record/record.h"
#include "spool/keeper.h"
#include "spool/place.h"
#include "spool/rejection.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weir::spool {

struct ConsumerOptions {
  std::string path;
  std::string name = "main";                 // 1 to 64 of A-Z a-z 0-9 . _ -
  std::uint64_t spool = 0;                   // the identity that the stream's `begin` marker gave; 0 for any
  std::string match = {};                    // --match as written, kept for `spool status`
  base::Duration wait = 30 * base::kSecond;  // for an earlier process of this name, and for a busy file
};

// Not thread safe: callers that acknowledge from several threads lock around it.
class Consumer {
 public:
  // Registers the name if it is new (it then has everything that the spool holds in front of it). Writes only into a spool with our
  // application_id that belongs to our own user and has the identity asked for. Errors: busy (names the holder), usage (no
  // spool, another identity or owner, a bad name), version, corrupt, io.
  static base::Result<std::unique_ptr<Consumer>> open(const ConsumerOptions& options, const base::Clock& clock,
                                                      const base::Stop* stop = nullptr);
  ~Consumer();

  [[nodiscard]] std::uint64_t spool() const;
  // What was acknowledged, here and by earlier runs.
  [[nodiscard]] const PlaceSet& acknowledged() const;

  // Every record and marker of the stream in order. `begin` (of this spool; of another: usage), records, position, block and end
  // markers; those without a source of a spool are `take`. Error: usage.
  base::Result<Verdict> see(const record::Record& record);

  // Records `first` to `last` of a block, both inclusive. In any order; again is harmless.
  void acknowledge(std::uint64_t block, std::uint32_t first, std::uint32_t last);
  // Many at once, sorted and apart from each other.
  void acknowledge(std::span<const PlaceSet::Stretch> stretches);
  // The record at this place, which belongs to `stream` (stream_key()), is left for later, or its stream waits already.
  void leave(std::uint64_t stream, BlockPlace place);
  // Of a stream that waits: all its records before `from` are acknowledged.
  void wait_from(std::uint64_t stream, BlockPlace from);
  // All its records that have arrived are acknowledged.
  void stop_waiting(std::uint64_t stream);
  // Where the stream of records and markers is: it has brought, or left out on purpose, everything before. {0, 0} before it began.
  [[nodiscard]] BlockPlace position() const;

  // Puts the record into the rejected store and acknowledges its place.
  void reject(std::uint64_t block, std::uint32_t ordinal, const Rejection& rejection);
  // Acknowledges its place and says there why: the record stays in its block, and goes with it. As RejectedStore::add_in_place().
  void reject_in_place(std::uint64_t block, std::uint32_t ordinal, std::string_view kind, const Rejection& rejection);
  // Bytes of rejections that wait in memory for commit().
  [[nodiscard]] std::size_t rejections_waiting() const;
  // Rejected records that the store had no room for since the last call, the oldest ones.
  [[nodiscard]] std::uint64_t take_evicted_rejected();

  // Keeps what was acknowledged where the next process of this name finds it if this one dies (spool/recent_file.h). Quick: no disk
  // is waited for. False when it cannot be kept, or when there are rejections, which only commit() stores: commit soon.
  [[nodiscard]] bool note();
  // All but the rejections that wait for commit(): after a kill these come again, and what was delivered beside them does not.
  void note_delivered();

  // Stores all of it in one transaction; nothing when nothing changed. Errors (io, full, busy) leave it to the next commit.
  base::Result<void> commit();

 private:
  struct State;
  explicit Consumer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
