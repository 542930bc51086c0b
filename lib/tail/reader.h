// What tail reads from, a block at a time: the files of a log (log_reader.h), or another source that says when to read it again.
#pragma once

#include "base/clock.h"
#include "record/record.h"
#include "tail/unreadable.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::tail {

// A piece of memory of the batch that blocks are read into.
struct Space {
  char* at = nullptr;
  std::size_t left = 0;
  bool whole = false;  // nothing of it was used yet
};

// One call reads up to a block of records, so that what is virtual costs nothing per record. For one thread.
class Reader {
 public:
  enum class Outcome : std::uint8_t {
    more,      // call again: there may be more to read now
    full,      // `space` or the batch has no room left: emit and call again
    idle,      // nothing to read until it changes, or until due()
    finished,  // nothing more will come
  };

  Reader() = default;
  Reader(const Reader&) = delete;  // queues hold its address
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  // The records are views into the batch's memory, `space` among it.
  virtual Outcome read(record::Batch& batch, Space& space) = 0;
  // What messages call it: for a log its path.
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Why it cannot be read at present, once for each file; nothing when there is no news. It is tried again.
  [[nodiscard]] virtual std::optional<Cause> take_trouble() = 0;
  // After Outcome::idle: when it is to be read again though nothing changed; base::kNever for not at all.
  [[nodiscard]] virtual base::Monotonic due() const = 0;

 private:
  friend class ReaderQueue;
  bool queued_ = false;
};

}  // namespace weir::tail
