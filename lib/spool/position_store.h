// A spool file that keeps positions (and rejected records) and no log records: what `push --checkpoint FILE` writes.
//
//   auto store = PositionStore::open(path, wait, clock, stop);   // creates FILE, takes the keeper's lock
//   auto keeper = store->load();
//   … keeper.see(record) on arrival, keeper.advance(source) after 2xx …
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
#include <string>

namespace weir::spool {

// Not thread safe.
class PositionStore {
 public:
  // Waits up to `wait` (or until `stop`, may be null) for another keeper to go. Errors: busy (names the holder), usage (no spool),
  // version, corrupt, io, full.
  static base::Result<std::unique_ptr<PositionStore>> open(const std::string& path, base::Duration wait, const base::Clock& clock,
                                                           const base::Stop* stop = nullptr);
  ~PositionStore();

  base::Result<Keeper> load();
  // Stores what moved and what reject() collected, in one transaction; nothing when nothing did.
  base::Result<void> commit(Keeper& keeper);
  // The store keeps the latest 8 MiB.
  void reject(const Rejection& rejection);
  // As Consumer's.
  [[nodiscard]] std::size_t rejections_waiting() const;
  [[nodiscard]] std::uint64_t take_evicted_rejected();
  // Keeps what moved where the next process finds it if this one dies (spool/recent_file.h), without waiting for the disk. False
  // when it cannot be kept, or when there are rejections, which only commit() stores: commit soon.
  [[nodiscard]] bool note(const Keeper& keeper);

  // Checkpoints and closes. The destructor does so too and ignores what goes wrong.
  base::Result<void> close();

 private:
  struct State;
  explicit PositionStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
