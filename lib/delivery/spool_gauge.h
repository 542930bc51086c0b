// What comes into a spool and how much of it a consumer has in front of it, for the pace at which push delivers a backlog.
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

  // Takes up to now into account what was stored. Cheap when asked every few seconds.
  base::Result<void> read_new_blocks();

  [[nodiscard]] std::uint64_t newest() const { return newest_; }          // block, 0 for none
  [[nodiscard]] std::uint64_t newest_old() const { return newest_old_; }  // stored over a minute ago
  // Bytes of lines a second, over the last minute of what was stored.
  [[nodiscard]] double inflow() const;

  // The wall clock is before the newest block, or more than a day behind it: it, or the one that stored the block, may be wrong.
  [[nodiscard]] bool doubts_clock() const;

  // Whether a block that was stored over a minute ago holds something from `place` on.
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
