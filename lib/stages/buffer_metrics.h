// What buffer counts: the cells that a scrape reads, and the summary of a run.
#pragma once

#include "metrics/registry.h"
#include "metrics/time_until_full.h"
#include "pipeline/counters.h"
#include "pipeline/stage.h"
#include "spool/writer.h"

#include <cstdint>
#include <string>

namespace weir::stages {

// For the thread that drives the chain above buffer.
class BufferMetrics {
 public:
  explicit BufferMetrics(const pipeline::Context& context);

  // What is counted record by record. publish() enters it once a batch.
  pipeline::Tally in;
  std::uint64_t invalid = 0;
  std::uint64_t shed = 0;  // held records

  // What is counted block by block is entered at once, because the rest of the batch may wait long for room in the spool.
  void stored(const pipeline::Tally& block);
  void held(const pipeline::Tally& block);  // stored, and not passed on
  void not_held(std::uint64_t records);     // a block of held records was shed
  void kept(const pipeline::Tally& block);  // stored already, and nobody passes it on
  void passed(std::uint64_t records) { passed_.add(records); }
  void released(std::uint64_t records) { released_.add(records); }
  void told(std::uint64_t records) { told_.add(records); }  // gap records, added to the open block
  void lost(std::uint64_t records) { lost_.add(records); }

  // A commit with records or positions has ended at `now`.
  void committed(base::Duration took, base::Timestamp now);
  void not_committed() { failures_.add(1); }

  // What the spool holds. Raises Trouble::room while what waits for delivery takes over 80 % of the room.
  void note(const spool::Stock& stock, const std::string& spool_path, base::Monotonic now, base::Timestamp wall);
  [[nodiscard]] bool is_nearly_full() const { return nearly_full_; }
  // Nothing can be stored, for another reason than that undelivered records take the room.
  metrics::TroubleFlag positions;

  // Evicted records. The writer counts those that a consumer has not acknowledged. With no consumer, only the drain knows which
  // records were evicted before it passed them on, since some of those wait in its memory. It does not know the records from before
  // the start, which the writer counts.

  // What the writer evicted in a transaction. Returns how many of these records were undelivered.
  std::uint64_t note_evicted(const spool::Appended& appended);
  // Undelivered records that the writer has evicted since the start.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_by_writer_ + evicted_backlog_; }
  // So many records were evicted by now before the drain passed them on. Returns how many came since the last call, or 0 when the
  // writer has counted as many.
  std::uint64_t note_missed(std::uint64_t records);

  // Brings the cells up to date. `repeats`: records that were dropped so far because they were stored before. `open`: records of
  // the open blocks.
  void publish(std::uint64_t repeats, std::uint64_t open);

  [[nodiscard]] const metrics::Block& block() const { return block_; }
  // One sentence about a run. `spills`: records are passed on before they are stored.
  [[nodiscard]] std::string summary(bool spills, const std::string& spool_path) const;

 private:
  std::uint64_t evicted_by_writer_ = 0, missed_ = 0;
  std::uint64_t evicted_backlog_ = 0;    // undelivered records from before the start, while no consumer was registered
  std::uint64_t evicted_from_ring_ = 0;  // records, while no consumer was registered
  metrics::Block block_;
  metrics::Counter records_in_, bytes_in_, invalid_, repeats_, shed_, held_, held_bytes_;
  metrics::Gauge open_;
  metrics::Counter stored_, stored_bytes_, kept_, kept_bytes_, passed_, released_, told_, evicted_, evicted_held_,
      evicted_rejected_, lost_, failures_;
  metrics::Gauge size_, limit_, full_, undelivered_records_, undelivered_bytes_, oldest_undelivered_, held_stored_, oldest_held_;
  metrics::Gauge last_commit_;
  metrics::Histogram commits_;
  metrics::TimeUntilFull until_full_;
  metrics::TroubleFlag room_;
  bool nearly_full_ = false;
};

}  // namespace weir::stages
