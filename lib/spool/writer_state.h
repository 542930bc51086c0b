// The inside of Writer, for the files that implement it.
//
// A writer is the one process that holds SPOOL-lock. Its states and events:
//
//   opening      take the lock; open the file, or save a damaged one into a new file first; check whether its log is missing; store
//                what the writer before left in its recent file, as far as it is safe; begin_file() commits limits and clock
//   storing      append(): evictions, block, positions and rejections, in one transaction or not at all
//   no room      append() returned `full`: the caller keeps its records and tries again. `refused` is true when a limit of the
//   spool
//                is the cause. On a full disk, the log is copied and the reserve is released first
//   maintaining  maintain(), every few seconds: old blocks, requests of other processes, unused pages, the log
//   releasing    release_next(): held records of one block go into a new block, because a release asks for them
//                (spool/release.h)
//   closed       the log is copied into the file; a file that was deleted meanwhile is reported
//
// Invariants:
//   - `blocks` lists the blocks in the file, by number; it changes only after a commit.
//   - Numbers and snapshot: spool/block_numbers.h. The commit that evicts a row also writes a snapshot that includes it.
//   - Positions are stored without regard to room, because only progress lets records be evicted.
//   - The reserve is made before records are stored; records never use it (spool/log_room.h, spool/reserve.h).
//
// Values make the decisions: EvictionPlan, BlockNumbers, ClockSteps, log_room.h. State owns them, asks file, clock and system for
// the facts that they need, and carries their decisions out.
#pragma once

#include "spool/block_numbers.h"
#include "spool/clock_steps.h"
#include "spool/eviction_plan.h"
#include "spool/lock_file.h"
#include "spool/log_room.h"
#include "spool/recent_file.h"
#include "spool/recent_state.h"
#include "spool/reserve.h"
#include "spool/tables/held_groups.h"
#include "spool/tables/losses.h"
#include "spool/tables/releases.h"
#include "spool/writer.h"

#include <deque>
#include <string>

namespace weir::spool {

struct Writer::State {
  WriterOptions options;
  const base::Clock* clock = nullptr;
  LockFile lock;
  SpoolFile file;
  std::deque<StoredBlock> blocks;  // with records, oldest first
  BlockNumbers numbers;
  ClockSteps steps;
  std::uint64_t max_log = kMaxLog;
  std::string folder;
  base::Duration max_behind = 0;
  Reserve reserve;
  RecentFile recent;
  PackedBlock packed, packed_held;
  std::uint64_t first_own = 0;     // blocks with a lower number were there before this writer
  std::uint64_t next_to_pass = 0;  // Writer::keep_from()
  base::Monotonic opened_at = 0;
  std::uint64_t last_tied = 0;  // the highest group that `held_groups` names; 0: it is empty
  Report report;
  Losses losses;  // since the last commit
  std::uint64_t inode = 0;
  bool loss_reported = false;                        // the user knows that the file is no longer at its path
  bool refused = false;                              // the last plan could not make enough room
  bool out_of_room = false;                          // the last records were not stored, because there was no room
  bool tight = false;                                // the last plan left little room
  bool ring = false;                                 // at the last plan no consumer was registered
  base::Monotonic min_free_reported = base::kNever;  // when the user last learned that --min-free bounds the spool
  bool min_free_bounds = false;                      // at the last call of maintain()
  bool closed = false;

  // writer_state.cc: the file, and rows of it.

  // The file as it is now, checked as far as a writer relies on it.
  base::Result<void> open();
  void close_file();
  // Stores the limits of this writer and the state of the clock, in one commit.
  base::Result<void> begin_file();
  base::Result<void> load_numbers();
  // Returns false when the note in the file shows that the log is missing. Then it reports the loss and skips the lost block
  // numbers. The recent files are not valid then, because they build on what is missing. Error: usage, when the log may stand
  // beside another name of the file.
  base::Result<bool> check_log();
  // Leaves the note of how far the log goes (spool/log_note.h).
  void note_log() const;
  // Corrects the times of blocks if the clock was set since the last call. Call it before times are compared or stored.
  void check_clock();
  // Call this and the next three within a transaction.
  base::Result<void> store_steps();
  // Stores a packed block with the positions that moved.
  base::Result<void> insert(PackedBlock& from, std::uint64_t id, const std::string& positions, base::Timestamp now);
  // Stores positions without records.
  base::Result<void> insert(const Handed& handed, base::Timestamp now);
  base::Result<void> write_snapshot(const Keeper& keeper, std::uint64_t through);
  // In a transaction of its own, when there are any.
  base::Result<void> store_losses();
  // Counts the records that not every consumer has acknowledged.
  base::Result<std::uint64_t> undelivered();
  // Passes the error on. When it says that the file is damaged, the file is marked, so that the next open repairs it.
  base::Error note_damage(base::Error error);

  // writer_room.cc: evictions, and disk space.

  // Pages of the file: all, and those that are not in use.
  struct Pages {
    std::uint64_t all = 0, unused = 0;
  };
  base::Result<Pages> count_pages();
  // `pages`: of the file. The disk is asked only where `ask_disk` says so.
  [[nodiscard]] RoomFacts room_facts(std::uint64_t pages, bool grow, bool ask_disk) const;
  [[nodiscard]] Room room(std::uint64_t pages, bool grow) const;
  [[nodiscard]] base::Error no_room(Bound bound) const;
  base::Result<Awaited> awaited();
  // Plans which blocks to evict so that `need` more pages fit, and `held_need` pages of a block of held records, which may be shed.
  // Error full: the plan is refused.
  base::Result<EvictionPlan> plan(std::uint64_t need, std::uint64_t held_need, base::Timestamp now, bool grow);
  [[nodiscard]] std::uint64_t newest_of(const EvictionPlan& plan) const;
  // Carries the plan out within a transaction. The result's `block` is not set.
  base::Result<Appended> carry_out(const EvictionPlan& plan);
  base::Result<void> evict(std::uint64_t block, bool undelivered);
  // Adds the streams of an undelivered block that goes. A damaged list of streams is reported and does not stop the eviction.
  base::Result<void> note_streams(const StoredBlock& block, std::vector<EvictedStream>& evicted);
  // Removes the evicted blocks from `blocks`, after the commit.
  void forget(const EvictionPlan& plan);
  // The most bytes of whole records in the rejected store.
  [[nodiscard]] std::uint64_t rejected_max() const {
    return options.rejected_max > 0 ? options.rejected_max : options.max_size / 10;
  }
  // Copies the log into the file, as far as no reader needs it. On a full disk it releases the reserve first.
  base::Result<void> copy_log();
  base::Result<void> maybe_copy_log();
  // The bytes of the log after a commit with `need` pages of records.
  [[nodiscard]] std::uint64_t log_with(std::uint64_t need) const;
  [[nodiscard]] bool fits_into_log(std::uint64_t need) const;

  // writer.cc: appending.

  // What is copied of one held block.
  struct Release {
    std::string release;
    std::uint64_t held_block = 0;
    std::uint64_t asked = 0;   // records
    std::uint64_t number = 0;  // of the new block
    OrdinalSet copied;         // of the held block
  };
  // What one call stores. At most one of `keeper`, `handed` and `release` is set.
  struct Work {
    BlockBuilder* builder = nullptr;
    BlockBuilder* held = nullptr;
    HeldGroup ahead = {};  // of held records that are stored ahead of their group, alone
    Keeper* keeper = nullptr;
    std::span<const Handed> handed = {};
    RejectedStore* rejections = nullptr;
    Effort effort = Effort::fast, held_effort = Effort::lasting;
    const Release* release = nullptr;  // whose copies are in `builder`
    [[nodiscard]] bool records() const { return builder != nullptr && !builder->empty(); }
    [[nodiscard]] bool holds() const { return held != nullptr && !held->empty(); }
  };
  base::Result<Appended> append(Work work);
  // Stores the packed blocks. When the disk is full, copies the log and tries once more within the space that the files have.
  base::Result<Appended> store_packed(const Work& work);
  // Evictions, blocks, positions and rejections in one transaction. Without `grow` neither file nor log may grow.
  struct Need {
    std::uint64_t pages = 0, held = 0;
  };
  base::Result<Appended> store(const Work& work, const Need& need, bool grow);
  // Adds a stored block to `blocks`, after the commit.
  void keep(const BlockInfo& info);

  // writer_recent.cc: what the writer before this one left in its recent file.
  base::Result<void> store_recent(const base::Stop* stop);
  base::Result<void> wait_for_consumers(const base::Stop* stop);
  // Held records that were stored ahead of their group: those whose positions did not become safe go, since they are read again.
  base::Result<void> settle_held();

  // writer_maintenance.cc: everything besides appending.
  base::Result<void> maintain(Appended& evicted, bool& more);
  void check_path();
  // Reports when the file system has become so full that the spool may not grow.
  void check_free_space(std::uint64_t pages);
  base::Result<Appended> expire(const EvictionPlan& plan);
  base::Result<void> expire_rejected(Appended& evicted, bool& more);
  base::Result<bool> shrink();
  base::Result<void> serve_request(bool& more);
  base::Result<void> set_aside(std::uint64_t block);

  // writer_release.cc: held records that become undelivered ones.
  base::Result<void> copy_held(const ReleaseRequestRow& request, BlockBuilder& builder, Release& release);
  // Within a transaction. `block`: the new one; 0 when nothing was copied.
  base::Result<void> store_release(const Release& release, std::uint64_t block);
  // Within a transaction, before it is deleted.
  base::Result<void> count_release_block(std::uint64_t block, bool undelivered);
  // Forgets what a process began to ask for before it died, and what is old.
  base::Result<void> maintain_releases();

 private:
  base::Result<void> open_checked();
  base::Result<void> load_blocks();
  base::Result<void> load_clock();
  base::Result<void> store_clock();
};

}  // namespace weir::spool
