// The markers of a stage that drops records. For each batch and log there is one marker. It has the source of the last dropped
// record that no surviving record follows, so that a restart does not read that record again.
#pragma once

#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace weir::record {

// Not thread safe. Costs nothing in a chain that tracks nothing.
class DroppedPositions {
 public:
  void kept(const record::Source& source) {
    if (source && source.kind != record::Source::Kind::rejected) slot(source).pending = false;
  }
  void dropped(const record::Source& source) {
    // When a replay of rejected records drops one, that record stays rejected.
    if (!source || source.kind == record::Source::Kind::rejected) return;
    Slot& at = slot(source);
    at.source = source;
    at.pending = true;
    if (at.batch == batch_) return;
    at.batch = batch_;
    touched_.push_back(&at);
  }
  // Appends the markers after the first `kept` records of `batch`, and starts over. Returns the number of records then. Call it
  // at the end of a batch, and before any other marker: a record that was dropped before the end of a generation or of the
  // stream has its place before that end.
  std::size_t emit(record::Batch& batch, std::size_t kept);

 private:
  struct Slot {
    record::Source source;
    std::uint64_t batch = 0;
    bool pending = false;
  };
  void forget();
  Slot& slot(const record::Source& source) {
    const std::uint64_t key = source.kind == record::Source::Kind::block ? source.spool : source.log;
    if (latest_ == nullptr || key != latest_key_) {
      latest_ = &slots_[key];  // elements of an unordered_map do not move
      latest_key_ = key;
    }
    return *latest_;
  }

  std::unordered_map<std::uint64_t, Slot> slots_;
  std::vector<Slot*> touched_;
  Slot* latest_ = nullptr;
  std::uint64_t latest_key_ = 0;
  std::uint64_t batch_ = 1;
};

}  // namespace weir::record
