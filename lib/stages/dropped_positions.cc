#include "stages/dropped_positions.h"

namespace weir::stages {

std::size_t DroppedPositions::emit(record::Batch& batch, std::size_t kept) {
  if (touched_.empty()) return kept;
  for (const Slot* slot : touched_) {
    if (!slot->pending) continue;
    // Each stands for a record of this batch that was dropped, so that there is room.
    record::Record& marker = batch.records[kept++] = {};
    marker.labels = batch.hold(record::LabelSet::empty());
    marker.source = slot->source;
    marker.marker = batch.make<record::Marker>();
  }
  touched_.clear();
  ++batch_;
  // Nothing is in them between two batches: a stream of years names more logs than a batch does.
  constexpr std::size_t kMostSlots = 1024;
  if (slots_.size() > kMostSlots) {
    slots_.clear();
    latest_ = nullptr;
  }
  return kept;
}

}  // namespace weir::stages
