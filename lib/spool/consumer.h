// One named consumer of a spool: `push` behind a buffer, or `push --spool SPOOL --as NAME`. Holds the lock of the name while it
// exists.
//
//   auto consumer = Consumer::open({.path = …, .name = "main", .spool = begin.spool}, clock, stop);
//   for every record and marker in the order of the stream:
//     if (consumer->track(record) == Verdict::repeat) continue;      // acknowledged by an earlier run: do not send it again
//   on 2xx:      consumer->acknowledge(block, first, last);
//   refused:     consumer->reject(block, ordinal, rejection);      // acknowledges it, too
//   after each answer: consumer->note();                           // acknowledgements now survive a kill of this process
//   once a second, and at the end: consumer->commit();             // and now a power cut, as far as --sync promises
//
// track() also notices records that are missing in the stream. A record between two others that arrive was dropped on purpose
// (held, filtered, evicted). It counts as acknowledged when the later one has arrived.
//
// A stream waits while its records cannot be delivered, for example because Loki limits it. Call leave() for each of its records
// that arrives. They stay in the spool, are read again later, and are acknowledged in their order by wait_from(). After a restart
// they arrive again.
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
  // Registers the name if it is new; a new consumer gets everything that the spool holds. Writes only into a spool with weir's
  // application_id that belongs to the user of this process and has the wanted identity. Errors: busy (names the holder), usage (no
  // spool, another identity or owner, a bad name), version, corrupt, io.
  static base::Result<std::unique_ptr<Consumer>> open(const ConsumerOptions& options, const base::Clock& clock,
                                                      const base::Stop* stop = nullptr);
  ~Consumer();

  [[nodiscard]] std::uint64_t spool() const;
  // Everything that was acknowledged under this name, by this process and by earlier ones.
  [[nodiscard]] const PlaceSet& acknowledged() const;

  // Call it with every record and marker of the stream, in order. A record or marker whose source is not a spool is `take`. Error:
  // usage (a `begin` marker names another spool).
  base::Result<Verdict> track(const record::Record& record);

  // Acknowledges the records `first` to `last` of a block, both inclusive. In any order; a second call does no harm.
  void acknowledge(std::uint64_t block, std::uint32_t first, std::uint32_t last);
  // Acknowledges many stretches. They are sorted and do not touch.
  void acknowledge(std::span<const PlaceSet::Stretch> stretches);
  // Leaves the record at this place for later. Its stream, `stream` (stream_key()), waits from here on, or waits already.
  void leave(std::uint64_t stream, BlockPlace place);
  // For a stream that waits: acknowledges all its records before `from`.
  void wait_from(std::uint64_t stream, BlockPlace from);
  // Ends the waiting of a stream: acknowledges all its records that have arrived.
  void stop_waiting(std::uint64_t stream);
  // The place up to which the stream of records and markers has come. {0, 0} before it began.
  [[nodiscard]] BlockPlace position() const;

  // Puts the record into the rejected store and acknowledges its place.
  void reject(std::uint64_t block, std::uint32_t ordinal, const Rejection& rejection);
  // Acknowledges the place and stores the reason. The record itself stays in its block and is evicted with it. As
  // RejectedStore::add_in_place().
  void reject_in_place(std::uint64_t block, std::uint32_t ordinal, std::string_view kind, const Rejection& rejection);
  // Bytes of rejections that wait in memory for commit().
  [[nodiscard]] std::size_t rejections_waiting() const;
  // How many of the oldest rejected records were evicted from the store since the last call, because it was full.
  [[nodiscard]] std::uint64_t take_evicted_rejected();

  // Writes the acknowledgements since the last commit to the recent file (spool/recent_file.h), where the next process of this name
  // finds them if this one is killed. Does not wait for the disk. False when the file cannot hold them, or when there are
  // rejections, which only commit() stores: commit soon.
  [[nodiscard]] bool note();
  // As note(), but leaves out the rejections that wait for commit(). After a kill, the rejected records arrive again; the delivered
  // ones do not.
  void note_delivered();

  // Stores all changes in one transaction; does nothing when there are none. After an error (io, full, busy) the next commit tries
  // again.
  base::Result<void> commit();

 private:
  struct State;
  explicit Consumer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
