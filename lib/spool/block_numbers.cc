#include "spool/block_numbers.h"

#include <algorithm>

namespace weir::spool {

void BlockNumbers::load(std::uint64_t next, std::uint64_t snapshot_through, std::uint64_t rows_behind, std::uint64_t newest_row) {
  next_ = next;
  snapshot_through_ = snapshot_through;
  rows_behind_ = rows_behind;
  stored_through_ = newest_row_ = std::max(newest_row, snapshot_through);
}

void BlockNumbers::skip(std::uint64_t through) { next_ = std::max(next_, through + 1); }

std::optional<std::uint64_t> BlockNumbers::to_reserve() const {
  if (handed_next_ != handed_end_) return std::nullopt;
  return next_ - 1 + kHandedAtOnce;
}

void BlockNumbers::reserved(std::uint64_t through) {
  handed_next_ = next_;
  handed_end_ = next_ = through + 1;
}

void BlockNumbers::stored_row(std::uint64_t id) {
  next_ = std::max(next_, id + 1);
  newest_row_ = std::max(newest_row_, id);
}

void BlockNumbers::stored_all(std::uint64_t through) { stored_through_ = std::max(stored_through_, through); }

void BlockNumbers::snapshot_written(std::uint64_t through) {
  snapshot_through_ = through;
  newest_row_ = std::max(newest_row_, through);
  rows_behind_ = 0;
}

bool BlockNumbers::snapshot_due(bool row, std::uint64_t newest_evicted) const {
  return (row && rows_behind_ >= kSnapshotEvery) || newest_evicted > snapshot_through_;
}

}  // namespace weir::spool
