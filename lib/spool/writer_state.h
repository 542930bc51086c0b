// The inside of Writer, for the files that implement it.
//
// A writer is the one process that holds SPOOL-lock. Its states and what moves it between them:
//
//   opening    lock -> file (a damaged one is saved into a new one first) -> does the file lack its log? -> what the writer before
//   noted
//              and did not store is stored, as far as it is safe -> begin_file(): limits and clock, one commit
//   storing    append(): evictions, block, positions and rejections in one transaction; or nothing of it
//   no room    append() has answered `full`: the caller keeps what it has and tries again. `refused` tells a limit of ours, where
//              nothing may go, from a disk that is full, where the log is copied and the reserve given up first
//   tending    tend(), every few seconds: what is over its time, requests of other processes, unused pages, the log
//   closed     the log is copied into the file; a file that was deleted meanwhile is told of
//
// Invariants:
//   - `blocks` is what the file holds, by number; it changes only after a commit.
//   - Numbers and snapshot: spool/block_numbers.h. A row that is evicted is part of the snapshot by the same commit at the latest.
//   - Positions never wait for room: they are what lets the rest go.
//   - The reserve is made before records are stored, never taken by them (spool/log_room.h, spool/reserve.h).
//
// What is to be decided is decided by values: EvictionPlan, BlockNumbers, ClockSteps, log_room.h. This owns them, asks file, clock
// and system for what they need to know, and does what they say.
#pragma once

#include "spool/block_numbers.h"
#include "spool/clock_steps.h"
#include "spool/eviction_plan.h"
#include "spool/lock_file.h"
#include "spool/log_room.h"
#include "spool/recent_file.h"
#include "spool/recent_state.h"
#include "spool/reserve.h"
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
  Reserve reserve;
  RecentFile recent;
  PackedBlock packed;
  News news;
  std::uint64_t inode = 0;
  bool loss_told = false;  // that the file is not at its path any more
  bool refused = false;    // the last plan found that nothing may go to make room
  bool tight = false;      // the last plan left little of what the size allows
  bool closed = false;

  // writer_state.cc: the file, and rows of it.

  // The file as it is now, checked as far as a writer relies on it.
  base::Result<void> open();
  void close_file();
  // What a writer says of itself when it begins, in one commit.
  base::Result<void> begin_file();
  base::Result<void> load_numbers();
  // False: the file's note knows of more than the file holds. That is told, and its numbers are not given out again; what processes
  // noted since their last commit builds on what is missing, and counts for nothing. Error: usage, when the log may stand beside
  // another name of the file.
  base::Result<bool> look_for_log();
  // How far the log goes, for whoever finds the file without it.
  void note_log() const;
  // Was the clock set since the last look? To be called before times are compared or stored.
  void look_at_clock();
  // Within a transaction; so the next three.
  base::Result<void> store_steps();
  // What `packed` holds, with the positions that moved.
  base::Result<void> insert(std::uint64_t id, const std::string& positions, base::Timestamp now);
  // Positions alone.
  base::Result<void> insert(const Handed& handed, base::Timestamp now);
  base::Result<void> write_snapshot(const Keeper& keeper, std::uint64_t through);
  // Records that not every consumer has acknowledged.
  base::Result<std::uint64_t> undelivered();
  // What SQLite calls damaged is looked at more closely, and saved, when the file is opened the next time.
  base::Error seen(base::Error error);

  // writer_room.cc: what goes, and the disk.

  // Of the file: all, and those that are not in use.
  struct Pages {
    std::uint64_t all = 0, unused = 0;
  };
  base::Result<Pages> count_pages();
  [[nodiscard]] Room room(std::uint64_t pages, bool grow) const;
  [[nodiscard]] base::Error no_room(Bound bound) const;
  // What goes, so that `need` more pages fit. Error full: it is refused.
  base::Result<EvictionPlan> plan(std::uint64_t need, base::Timestamp now, bool grow);
  [[nodiscard]] std::uint64_t newest_of(const EvictionPlan& plan) const;
  // Within a transaction; what it says, but for `block`.
  base::Result<Appended> carry_out(const EvictionPlan& plan);
  base::Result<void> evict(std::uint64_t block);
  // After the commit.
  void forget(const EvictionPlan& plan);
  // Bytes of whole records that the rejected store may hold.
  [[nodiscard]] std::uint64_t rejected_max() const {
    return options.rejected_max > 0 ? options.rejected_max : options.max_size / 10;
  }
  // What the log holds into the file, as far as nobody reads it. A full disk gives up its reserve for this.
  base::Result<void> copy_log();
  base::Result<void> maybe_copy_log();
  // Bytes of the log when a commit with `need` pages of records is in it.
  [[nodiscard]] std::uint64_t log_with(std::uint64_t need) const;
  [[nodiscard]] bool fits_into_log(std::uint64_t need) const;

  // writer.cc: appending.

  // What one call stores: of keeper and handed at most one.
  struct Work {
    BlockBuilder& builder;
    Keeper* keeper = nullptr;
    std::span<const Handed> handed = {};
    RejectedStore* rejections = nullptr;
    Effort effort = Effort::fast;
  };
  base::Result<Appended> append(const Work& work);
  // Evictions, block, positions and rejections in one transaction. Without `grow` neither file nor log takes more of the disk.
  base::Result<Appended> store(const Work& work, std::uint64_t need, bool grow);

  // writer_recent.cc: what the writer before this one noted and did not store.
  base::Result<void> settle_recent(const base::Stop* stop);
  base::Result<void> wait_for_consumers(const base::Stop* stop);

  // writer_care.cc: what is done besides appending.
  base::Result<void> tend(Appended& evicted, bool& more);
  void look_for_file();
  base::Result<Appended> expire(const EvictionPlan& plan);
  base::Result<void> tend_rejected(Appended& evicted, bool& more);
  base::Result<bool> shrink();
  base::Result<void> serve_request(bool& more);
  base::Result<void> set_aside(std::uint64_t block);

 private:
  base::Result<void> open_checked();
  base::Result<void> load_blocks();
  base::Result<void> load_clock();
  base::Result<void> store_clock();
};

}  // namespace weir::spool
