// The positions of a tracked stream: which records are safe, and which of those that arrive were safe before.
//
// `buffer SPOOL` and `push --checkpoint FILE` each own one. LOG and GENERATION numbers mean something only within one stream. The
// keeper maps them to the generations that it has stored, by the identity in `generation` markers: the same log key, inode, head
// size and head hash, and the same check where both have one at the same offset. It remembers the last few identities of a growing
// file, and these match too. A stored generation matches at most one number of a stream.
//
// So a reader that continues from stored positions first announces those files, the oldest first, with the stored identity. It
// announces also those that no longer exist, followed by `done`. Then it announces them again with the identity as it is now, and
// then new files. A file that matches nothing is a new generation: its records are taken, never discarded.
//
// Within a generation, the ENDs of stdout and those of stderr rise from record to record, also for the pieces of a line that was
// cut. The keeper remembers the last few finished generations of a log, and the last few hundred logs that are gone, so that a
// reader that started earlier repeats nothing. It forgets everything else that is gone, with its number in the stream.
// Not thread safe.
#pragma once

#include "base/result.h"
#include "record/positions.h"
#include "record/record.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace weir::spool {

enum class Verdict : std::uint8_t {
  take,    // new
  repeat,  // safe or taken already: discard it
};

class Keeper {
 public:
  // `checkpoint` is the file that holds the positions. A `begin` marker that names another file is an error.
  explicit Keeper(std::string checkpoint);
  ~Keeper();
  Keeper(Keeper&&) noexcept;
  Keeper& operator=(Keeper&&) noexcept;

  // Calls `done` with the source of a file whenever it is done with: nothing of it will be read again. Before track().
  void on_done(std::function<void(const record::Source&)> done);

  // Call it with every record and marker of the stream, in order, once. A record without a source is always `take`. A marker is
  // `take` too. Pass a marker with a source (position, done) to advance() like a record, when everything before it is safe. `begin`
  // starts a new stream: call advance() for the records of the former stream first. Errors: usage (another checkpoint is named, a
  // source that no marker introduced, a source in a spool).
  base::Result<Verdict> track(const record::Record& record);

  // All records of this log up to `source`, which went through track(), are safe or were dropped on purpose. Call it in order for
  // each log. A source before the known position changes nothing.
  void advance(const record::Source& source);
  // All records of this substream (stdout or stderr) up to `source` are safe, while the other substream of the log has records that
  // are not. The place at which reading resumes stays, and what is read twice there is a repeat. Call it in order for each
  // substream.
  void advance_alone(const record::Source& source);

  // Whether more records of this log may arrive: a marker introduced it, and it has not ended for good.
  [[nodiscard]] bool follows(std::uint32_t log) const;

  // The positions that moved since the last committed(), in the form of the `positions` column of a block; "" when none moved.
  [[nodiscard]] std::string delta() const;
  [[nodiscard]] bool moved() const;
  // Call it when the delta is stored.
  void committed();
  // All positions, in the form of the `positions` table.
  [[nodiscard]] std::string snapshot() const;

  // Adds a stored snapshot ("" for none), or a delta, to the positions so far. Deltas are loaded in their order. Error: corrupt.
  base::Result<void> load(std::string_view encoded);

  // What a reader starts from: the logs that are not gone, with their generations from that of `resume` on. `also_gone`: includes
  // the last logs that are gone, marked as gone, so that their files are recognised under other names.
  [[nodiscard]] record::Positions positions(bool also_gone = false) const;

  // How many records track() has judged `repeat`.
  [[nodiscard]] std::uint64_t repeats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The positions of a block that was passed on before it was stored (buffer --spill), and that may never be stored.
struct Handed {
  std::uint64_t block = 0;
  std::string positions;  // the delta of the keeper, "" when no position moved
};

}  // namespace weir::spool
