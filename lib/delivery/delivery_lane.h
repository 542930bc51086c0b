// Records in their order, each of which is settled at some time. The lane knows how far all of them are settled, and how far
// those of stdout or of stderr alone.
#pragma once

#include "record/source.h"

#include <cstdint>
#include <deque>
#include <functional>

namespace weir::delivery {

// Holds the unsettled entries. Of the settled entries behind them it holds only those that end a part. So one record that waits
// for hours costs nothing for the records that pass. Not thread safe.
class DeliveryLane {
 public:
  // Appends an entry and returns its number. A `barrier` (the end of a file) keeps its place among its neighbours.
  std::uint64_t enter(const record::Source& source, bool barrier);
  // Removes the latest entry, which must not be settled.
  void undo();
  // Settles an entry. True when it is the first one of the lane. An unknown or settled number changes nothing.
  bool settle(std::uint64_t number);
  // Removes all settled entries from the front. Calls `report` with each barrier, and with the last entry of each substream
  // between two barriers.
  void take_settled(const std::function<void(const record::Source&)>& report);

  // For a substream that has settled entries up to some place while the other one holds the lane back: calls `report` with the
  // last such entry of each file, once. Call it after take_settled().
  void take_ahead(const std::function<void(const record::Source&)>& report);

  // The source that this number was given for; null when the entry is settled and removed.
  [[nodiscard]] const record::Source* source_of(std::uint64_t number);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const record::Source& front() const { return entries_.front().source; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t number;
    record::Source source;
    bool barrier, settled;
  };
  // The entries of one substream, without barriers.
  struct Substream {
    std::uint64_t first_open = 0;  // number of the first unsettled entry, when there is one
    std::size_t open = 0;          // number of unsettled entries
    bool moved = false;            // the first one was settled since take_ahead()
  };
  [[nodiscard]] Entry* find(std::uint64_t number);
  void merge();

  std::deque<Entry> entries_;  // ascending by number
  Substream substreams_[2];
  std::uint64_t next_ = 0;
  std::size_t settled_ = 0;  // settled entries in entries_
  std::size_t merge_at_ = 1024;
};

}  // namespace weir::delivery
