// A spool file that keeps positions (and rejected records) and no log records: what `push --checkpoint FILE` writes.
//
//   auto store = PositionStore::open(path, wait, clock, stop);   // creates FILE, takes the keeper's lock
//   auto keeper = store->load();
//   … keeper.track(record) on arrival, keeper.advance(source) after 2xx …
//   store->note(keeper);                                          // after each answer
//   store->commit(keeper);                                        // at most about once a second
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "spool/keeper.h"
#include "spool/rejection.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::spool {

// Not thread safe.
class PositionStore {
 public:
  // Waits up to `wait` (or until `stop`, may be null) while another process holds the file. Errors: busy (names the holder), usage
  // (no spool), version, corrupt, io, full.
  static base::Result<std::unique_ptr<PositionStore>> open(const std::string& path, base::Duration wait, const base::Clock& clock,
                                                           const base::Stop* stop = nullptr);
  ~PositionStore();

  [[nodiscard]] std::uint64_t spool() const;  // the identity of the file
  base::Result<Keeper> load();
  // Stores the positions that moved and the rejections, in one transaction. Does nothing when there are none.
  base::Result<void> commit(Keeper& keeper);
  // Collects a rejection for the next commit(). The store keeps the latest 8 MiB.
  void reject(const Rejection& rejection);
  // As Writer's.
  void note_gap(std::string_view log, std::optional<std::uint64_t> bytes);
  // As Consumer's.
  [[nodiscard]] std::size_t rejections_waiting() const;
  [[nodiscard]] std::uint64_t take_evicted_rejected();
  // Writes the positions that moved to the recent file (spool/recent_file.h), where the next process finds them if this one is
  // killed. Does not wait for the disk. False when the file cannot hold them, or when there are rejections, which only commit()
  // stores: commit soon.
  [[nodiscard]] bool note(const Keeper& keeper);

  // Copies the write-ahead log into the file and closes. The destructor does the same and ignores errors.
  base::Result<void> close();

 private:
  struct State;
  explicit PositionStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
