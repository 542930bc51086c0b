// The positions of a tracked stream: what was safe before, what came again, and what has become safe now.
//
// `buffer SPOOL` and `push --checkpoint FILE` each own one. The stream's LOG and GENERATION numbers mean something only within
// that stream; the keeper resolves them to the generations it has stored, by the identity in `generation` markers: the same log
// key, inode, head size and head hash, and the same check at the same offset where both have a check. The last few identities of a
// growing file are remembered and match, too. One stored generation stands for at most one number of a stream.
//
// So a reader that goes on in files it knows from stored positions announces them first, oldest first, with the identity that
// was stored, also those it cannot find any more (followed by `done`); then again with an identity that has grown; then new
// files. A file that cannot be matched is a new generation: its records are taken, never discarded.
//
// Within a generation the ENDs of one sub-stream rise from record to record, also those of the pieces of a line that was cut.
// Finished generations (the last few of a log) and logs that are gone (the last few hundred) stay known, so that a reader that
// started before they were finished doubles nothing. Whatever else is gone is forgotten, the stream's number for it as well.
// Not thread safe.
#pragma once

#include "base/result.h"
#include "record/positions.h"
#include "record/record.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace weir::spool {

enum class Verdict : std::uint8_t {
  take,    // new
  repeat,  // safe or taken already: discard it
};

class Keeper {
 public:
  // `checkpoint` is the file in which the positions are kept: a `begin` marker that names another is an error.
  explicit Keeper(std::string checkpoint);
  ~Keeper();
  Keeper(Keeper&&) noexcept;
  Keeper& operator=(Keeper&&) noexcept;

  // Every record and marker of the stream, in order, once. A record without a source is always `take`. A marker is `take` too, and
  // one that has a source (position, done) is to be passed to advance() like a record when everything before it is safe; its
  // other effects (generation, done, gone) are the keeper's business. `begin` starts a new stream: advance() all of the former
  // first. Errors: usage (another checkpoint is named, a source that no marker introduced, a source of a spool).
  base::Result<Verdict> see(const record::Record& record);

  // Everything of this log up to `source` (which went through see()) is safe or was dropped on purpose. Called in order per log;
  // one that lies before what is known already changes nothing.
  void advance(const record::Source& source);
  // What came of this substream up to `source` is safe, while something of the log's other one is not: reading will begin where it
  // would have, and find a repeat there. Called in order per substream.
  void advance_alone(const record::Source& source);

  // Whether something of this log of the stream may still come: it was introduced, and did not end for good.
  [[nodiscard]] bool follows(std::uint32_t log) const;

  // What moved since committed() was last called, in the form of the `positions` column of a block; "" when nothing did.
  [[nodiscard]] std::string delta() const;
  [[nodiscard]] bool moved() const;
  // The delta is in the file now.
  void committed();
  // Everything, in the form of the `positions` table.
  [[nodiscard]] std::string snapshot() const;

  // Puts a stored snapshot ("" for none), and then deltas in their order, on top of what is there. Error: corrupt.
  base::Result<void> load(std::string_view encoded);

  // What a reader starts from: logs that are not gone, generations from the one of `resume` on, and which are finished.
  // `also_gone`: and of the last logs that are gone, marked so, which files they had.
  [[nodiscard]] record::Positions positions(bool also_gone = false) const;

  // How many records see() has called repeats.
  [[nodiscard]] std::uint64_t repeats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One delta that says what these, made by delta() in this order, say together.
[[nodiscard]] std::string join_deltas(std::span<const std::string_view> deltas);

// A block that was passed on before it was stored, and may never be: positions up to its end.
struct Handed {
  std::uint64_t block = 0;
  std::string positions;  // the delta of the keeper, "" when nothing moved
};

}  // namespace weir::spool
