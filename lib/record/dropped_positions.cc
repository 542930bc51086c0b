#include "record/dropped_positions.h"

namespace weir::record {

std::size_t DroppedPositions::emit(record::Batch& batch, std::size_t kept) {
  if (touched_.empty()) {
    forget();
    return kept;
  }
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
  forget();
  return kept;
}

// Nothing is pending then: a stream of years names more logs than a batch does.
void DroppedPositions::forget() {
  constexpr std::size_t kMostSlots = 1024;
  if (slots_.size() <= kMostSlots) return;
  slots_.clear();
  latest_ = nullptr;
}

}  // namespace weir::record
