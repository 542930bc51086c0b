// Records in their order, of which each is settled at some time: how far all of them are, and how far those of stdout or stderr alone.
#pragma once

#include "record/source.h"

#include <cstdint>
#include <deque>
#include <functional>

namespace weir::delivery {

// Holds what is not settled, and of what is settled behind that only what its end has to say, so that one record which waits for hours
// costs nothing for those that pass. Not thread safe.
class DeliveryLane {
 public:
  // Appends; the number to settle it by. A `barrier` (the end of a file) keeps its place among its neighbours.
  std::uint64_t enter(const record::Source& source, bool barrier);
  // Takes the latest one back, which is not settled.
  void undo();
  // True when what lies first was settled. A number that is not there, or settled, changes nothing.
  bool settle(std::uint64_t number);
  // Removes everything settled from the front, and calls `tell` with what its parts have to say: of records without a barrier between
  // them the last of each substream.
  void take_settled(const std::function<void(const record::Source&)>& tell);

  // What is settled with all before it of its substream, while something of the other one still holds it back: calls `tell` with the last
  // of each file, once. To be called after take_settled().
  void take_ahead(const std::function<void(const record::Source&)>& tell);

  // What this number was given for; null when it is settled and gone.
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
  // Of the entries of one substream, barriers apart.
  struct Substream {
    std::uint64_t first_open = 0;  // the number of the first that is not settled, when there is one
    std::size_t open = 0;          // how many are not
    bool moved = false;            // the first was settled since take_ahead()
  };
  [[nodiscard]] Entry* find(std::uint64_t number);
  void merge();

  std::deque<Entry> entries_;  // by number
  Substream substreams_[2];
  std::uint64_t next_ = 0;
  std::size_t settled_ = 0;    // of entries_
  std::size_t merge_at_ = 1024;
};

}  // namespace weir::delivery
