#include "stages/dropped_positions.h"

namespace weir::stages {

void DroppedPositions::emit(record::Batch& batch) {
  if (touched_.empty()) return;
  for (const Slot* slot : touched_) {
    if (!slot->pending) continue;
    record::Record& marker = batch.records.emplace_back();
    marker.labels = batch.hold(record::LabelSet::empty());
    marker.source = slot->source;
    marker.marker = batch.make<record::Marker>();
  }
  touched_.clear();
  ++batch_;
}

}  // namespace weir::stages
