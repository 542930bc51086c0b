// The one writer of a spool: appends blocks with their positions, evicts what its limits no longer allow, checkpoints the
// write-ahead log. Holds the keeper's lock while it lives.
//
// What ages by time does so by the time that passes, not by what the wall clock says: where the clock is set, the times that were
// stored before are taken to be moved by as much (spool/clock_steps.h).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "spool/block_builder.h"
#include "spool/keeper.h"
#include "spool/news.h"
#include "spool/recent_state.h"
#include "spool/rejected_store.h"
#include "spool/spool_file.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace weir::spool {

enum class OnFull : std::uint8_t { block, drop_oldest };

struct WriterOptions {
  std::string path;
  Sync sync = Sync::normal;
  std::uint64_t max_size = 1ULL << 30;       // the whole file with its write-ahead log
  int min_free = 15;                         // percent of the file system; below it the file does not grow beyond kFloor
  base::Duration retain = 24 * base::kHour;  // delivered records; all of them when nobody is registered as consumer
  base::Duration hold = base::kHour;         // held records
  std::uint64_t hold_max = 0;                // bytes of blocks that are kept only for held records; 0: no bound of its own
  std::uint64_t rejected_max = 0;            // bytes of records in the rejected store; 0: a tenth of max_size
  OnFull on_full = OnFull::block;
  base::Duration wait = 30 * base::kSecond;  // for another writer, and for a busy file
};

inline constexpr std::uint64_t kFloor = 16 << 20;

struct Appended {
  std::uint64_t block = 0;                                                         // 0: there was nothing to store
  std::uint64_t evicted_delivered = 0, evicted_held = 0, evicted_undelivered = 0;  // records
  std::uint64_t evicted_rejected = 0;                                              // of the rejected store, to make room
};

// Not thread safe.
class Writer {
 public:
  // A damaged file is kept under another name and what can be read of it is taken over (spool/salvage.h); take_news() tells. What
  // an earlier writer noted and did not live to store is stored now, as far as it is safe: for its consumers' last word, processes
  // that still acknowledge are waited for, up to options.wait. A folder that is not there is made (0700) if the one above it is.
  // Where the write-ahead log of the file is missing, take_news() says what is not there with it. Errors: busy (names the holder;
  // or in use by another name), usage (no spool, or its log stands beside another name), version, io, full, interrupted.
  static base::Result<std::unique_ptr<Writer>> open(const WriterOptions& options, const base::Clock& clock, const base::Stop* stop);
  ~Writer();

  [[nodiscard]] std::uint64_t spool() const;
  base::Result<Keeper> load_keeper();

  // What open(), append() and tend() found damaged and set aside since the last call.
  News take_news();

  // Stores the open block and what moved in the keeper (null: no positions) in one transaction, and evicts in the same. Changes
  // neither builder nor keeper's positions unless it succeeds; a builder that is empty and a keeper that did not move do nothing.
  // Errors: full when nothing may be evicted to make room (on_full = block) or the disk is full, io, busy, corrupt: the
  // caller still has everything and may try again.
  base::Result<Appended> append(BlockBuilder& builder, Keeper* keeper, RejectedStore* rejections = nullptr,
                                Effort effort = Effort::fast);

  // A number for a block that is passed on first (buffer --spill). No later writer gives it out again, whatever happens to this
  // one.
  base::Result<std::uint64_t> hand_out();
  // Stores in one transaction the positions of blocks that were handed out, and with the last of them the records in `builder`,
  // which may be empty. Everything before the first must be stored already, or have come in an earlier call, so that what the file
  // says of positions has no hole. Evicts and fails as append() does.
  base::Result<Appended> append_handed(BlockBuilder& builder, std::span<const Handed> handed, Effort effort = Effort::fast);
  // Notes what is not stored yet where the next writer finds it if this process dies (spool/recent_file.h): blocks that were handed
  // out, whose positions count once every consumer has acknowledged them; or positions that are safe now. False when it cannot be
  // kept.
  [[nodiscard]] bool note(std::span<const Handed> handed);
  [[nodiscard]] bool note_safe(std::string_view positions);

  // Evicts what is over its time, gives free space back, does what other processes ask for, in small steps. The wall clock's time
  // at which to call again.
  base::Result<base::Timestamp> tend(Appended& evicted);

  // Gives a part of the unused space back at once. True: there is more.
  base::Result<bool> compact();

  // How many records nobody has delivered yet of a spool that was deleted or replaced while it was written, and goes when this
  // writer ends: those that are on the way are among them. Nullopt: it is at its place.
  base::Result<std::optional<std::uint64_t>> gone();

  // Copies the write-ahead log into the file and closes; the destructor does so, too, ignoring errors. On a full disk the log
  // stays. Error io when the file is gone().
  base::Result<void> close();

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
