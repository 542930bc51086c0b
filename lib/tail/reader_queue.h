// Which reader is next. Readers with something to read take turns, a block each; the others wait until they are added or due.
//
// A reader is in the queue, waits for its time, or is unknown; never two of these.
#pragma once

#include "base/clock.h"
#include "record/record.h"
#include "tail/reader.h"

#include <deque>
#include <unordered_map>

namespace weir::tail {

// Not thread safe. Readers outlive their stay: remove() takes one out.
class ReaderQueue {
 public:
  struct Turn {
    Reader* reader = nullptr;
    Reader::Outcome outcome = Reader::Outcome::idle;
  };

  // There may be something to read. The reader stands behind those that are in the queue. Adding it twice is adding it once.
  void add(Reader& reader);
  // It stands in front of all others.
  void add_first(Reader& reader);
  [[nodiscard]] bool empty() const { return ready_.empty(); }
  // Reads a block of the first reader, which then stands last, or waits for its time. A reader that has finished is unknown
  // afterwards. Not while empty().
  Turn read(record::Batch& batch, Space& space);

  // When the first of those that wait is due; kNever.
  [[nodiscard]] base::Monotonic due() const;
  // Adds those whose time has come.
  void add_due(base::Monotonic now);

  void remove(Reader& reader);

 private:
  std::deque<Reader*> ready_;
  std::unordered_map<Reader*, base::Monotonic> due_;
};

}  // namespace weir::tail
