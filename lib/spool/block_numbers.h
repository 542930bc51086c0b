// The numbers of a writer's blocks, and how far its snapshot of positions goes: decisions as a value without file or clock.
//
// Every row of the file has a number, and numbers only go up, across restarts and evictions, because positions and acknowledgements
// name them. A number comes from one of two places: a block that is stored takes next(); a block that is passed on before it is
// stored (buffer --spill) takes one of a range that was reserved in the file first, so that no later writer gives it out again.
//
// Each row carries the positions that moved since the row before it. A snapshot holds all positions up to a row. A new snapshot is
// due when so many rows follow the old one that reading them takes long. It is also due when a row is evicted that the snapshot
// does not include, because no other place has the positions of that row. The snapshot goes up to the row that is stored in the
// same commit, or else up to the last row before which no row is missing: when numbers were handed out, earlier rows may still
// come.
#pragma once

#include <cstdint>
#include <optional>

namespace weir::spool {

inline constexpr std::uint64_t kSnapshotEvery = 64;      // rows with positions
inline constexpr std::uint64_t kHandedAtOnce = 1 << 16;  // numbers reserved in one commit

class BlockNumbers {
 public:
  // Sets what the file says: the number of the next block, up to which block the snapshot goes, how many rows follow it, and the
  // number of the newest row.
  void load(std::uint64_t next, std::uint64_t snapshot_through, std::uint64_t rows_behind, std::uint64_t newest_row);
  // The file has lost the blocks up to this number. They are not handed out again.
  void skip(std::uint64_t through);

  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] std::uint64_t snapshot_through() const { return snapshot_through_; }
  // The number of the newest row in the file.
  [[nodiscard]] std::uint64_t newest_row() const { return newest_row_; }
  // All blocks up to this one are stored. Higher numbers may have been handed out.
  [[nodiscard]] std::uint64_t stored_through() const { return stored_through_; }

  // The number up to which the file must reserve numbers before hand_out() may be called; nullopt when reserved numbers are left.
  [[nodiscard]] std::optional<std::uint64_t> to_reserve() const;
  void reserved(std::uint64_t through);
  [[nodiscard]] std::uint64_t hand_out() { return handed_next_++; }
  // Numbers were handed out: next() is above all that are reserved, so a block that comes between others takes hand_out().
  [[nodiscard]] bool hands_out() const { return handed_end_ != 0; }

  // A row with the block `id` was stored.
  void stored_row(std::uint64_t id);
  // `rows` more rows follow the snapshot.
  void add_rows(std::uint64_t rows) { rows_behind_ += rows; }
  // All blocks up to `through` are stored.
  void stored_all(std::uint64_t through);
  void snapshot_written(std::uint64_t through);

  // Whether the next commit has to write a snapshot. `row`: the commit stores a row. `newest_evicted`: the highest block number
  // that it evicts, 0 for none.
  [[nodiscard]] bool snapshot_due(bool row, std::uint64_t newest_evicted) const;

 private:
  std::uint64_t next_ = 1;
  std::uint64_t handed_next_ = 0, handed_end_ = 0;
  std::uint64_t snapshot_through_ = 0;
  std::uint64_t rows_behind_ = 0;
  std::uint64_t newest_row_ = 0;
  std::uint64_t stored_through_ = 0;
};

}  // namespace weir::spool
