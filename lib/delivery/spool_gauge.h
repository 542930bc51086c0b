// How fast records arrive in a spool, and whether a consumer has old ones to deliver: for the pace at which push delivers a
// backlog.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/reader.h"

#include <cstdint>
#include <deque>

namespace weir::delivery {

// Not thread safe; the reader must outlive it.
class SpoolGauge {
 public:
  SpoolGauge(spool::Reader& reader, const base::Clock& clock) : reader_(reader), clock_(clock) {}

  // Reads which blocks were stored since the last call. Cheap enough for a call every few seconds.
  base::Result<void> read_new_blocks();

  [[nodiscard]] std::uint64_t newest() const { return newest_; }          // the number of the newest block, 0 for none
  [[nodiscard]] std::uint64_t newest_old() const { return newest_old_; }  // the newest block that was stored over a minute ago
  // Bytes of lines that were stored per second, over the last minute.
  [[nodiscard]] double inflow() const;

  // The wall clock is earlier than the newest block, or more than a day later. Then the clock, or the clock that stored the block,
  // may be wrong.
  [[nodiscard]] bool doubts_clock() const;

  // Whether a block that was stored over a minute ago has records at or after `place`.
  base::Result<bool> has_old(spool::BlockPlace place);

 private:
  void forget(base::Timestamp before);
  struct Stored {
    std::uint64_t block;
    base::Timestamp at;
    std::uint64_t bytes;
  };
  spool::Reader& reader_;
  const base::Clock& clock_;
  std::uint64_t newest_ = 0, newest_old_ = 0;
  base::Timestamp newest_stored_ = 0;
  std::deque<Stored> recent_;
};

}  // namespace weir::delivery
