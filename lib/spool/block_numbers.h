// The numbers of a writer's blocks, and how far its snapshot of positions goes: decisions as a value without file or clock.
//
// Every row of the file has a number, and numbers only go up, across restarts and evictions, because positions and acknowledgements
// name them. A number comes from one of two places: a block that is stored takes next(); a block that is passed on before it is
// stored (buffer --spill) takes one of a range that was reserved in the file first, so that no later writer gives it out again.
//
// Rows carry what moved of the positions since the row before. A snapshot says all of it up to a row; it is due when so many
// rows lie behind it that reading them would take long, and when a row that is not part of it is evicted, since what moved with
// that row is said nowhere else. The snapshot goes up to the row that is stored with it, or else to what is known to be stored
// without a hole: with numbers handed out, rows above may still come.
#pragma once

#include <cstdint>
#include <optional>

namespace weir::spool {

inline constexpr std::uint64_t kSnapshotEvery = 64;      // rows with positions
inline constexpr std::uint64_t kHandedAtOnce = 1 << 16;  // numbers reserved in one commit

class BlockNumbers {
 public:
  // What the file says: the number of the next block, how far the snapshot goes, how many rows lie behind that, and the newest row.
  void load(std::uint64_t next, std::uint64_t snapshot_through, std::uint64_t rows_behind, std::uint64_t newest_row);
  // The file is known to lack what had numbers up to here.
  void skip(std::uint64_t through);

  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] std::uint64_t snapshot_through() const { return snapshot_through_; }
  // In the file.
  [[nodiscard]] std::uint64_t newest_row() const { return newest_row_; }
  // The file says what is safe up to this block; numbers above may be handed out already.
  [[nodiscard]] std::uint64_t stored_through() const { return stored_through_; }

  // The number that the file has to name as reserved before hand_out(); nullopt: some are left of those before.
  [[nodiscard]] std::optional<std::uint64_t> to_reserve() const;
  void reserved(std::uint64_t through);
  [[nodiscard]] std::uint64_t hand_out() { return handed_next_++; }

  // A row with the block `id` was stored.
  void stored_row(std::uint64_t id);
  // So many rows more lie behind the snapshot.
  void add_rows(std::uint64_t rows) { rows_behind_ += rows; }
  // Everything up to here is stored.
  void stored_all(std::uint64_t through);
  void snapshot_written(std::uint64_t through);

  // With the next commit; `row`: it stores a row; `newest_evicted`: the highest number that it evicts, 0 for none.
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
