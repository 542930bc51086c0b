// The one writer of a spool: appends blocks with their positions, evicts blocks beyond the limits, copies the write-ahead log into
// the file. Holds the writer's lock while it exists.
//
// Ages count the time that really passes. When the wall clock is set, the times that were stored before are corrected
// (spool/clock_steps.h).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/stop.h"
#include "spool/block_builder.h"
#include "spool/block_info.h"
#include "spool/keeper.h"
#include "spool/recent_state.h"
#include "spool/rejected_store.h"
#include "spool/report.h"
#include "spool/spool_file.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::spool {

enum class OnFull : std::uint8_t { block, drop_oldest };

struct WriterOptions {
  std::string path;
  Sync sync = Sync::normal;
  std::uint64_t max_size = 1ULL << 30;       // the whole file with its write-ahead log
  int min_free = 15;                         // percent of the file system; below it the file does not grow beyond kFloor
  base::Duration retain = 24 * base::kHour;  // of delivered records (spool/eviction_plan.h)
  base::Duration hold = base::kHour;         // of held records
  std::uint64_t hold_max = 0;                // bytes on disk of blocks that are kept for held records; 0: a quarter of max_size
  std::uint64_t rejected_max = 0;            // bytes of records in the rejected store; 0: a tenth of max_size
  OnFull on_full = OnFull::block;
  std::string forwards_to = {};  // the consumer that this process passes blocks on to (keep_from()); "": it passes on none
  // How far a record may be behind the newest of its stream where it is delivered (spool/release.h). Unset: as the latest writer
  // was told, and kMaxBehind where none was.
  std::optional<base::Duration> max_behind = std::nullopt;
  base::Duration wait = 30 * base::kSecond;  // for another writer, and for a busy file
  // False: one piece of work on the spool, whose limits are not those of who fills it. `spool status` does not learn of them.
  bool limits_last = true;
};

inline constexpr std::uint64_t kFloor = 16 << 20;

// Records of one stream in one block that was evicted before it was delivered.
struct EvictedStream {
  std::uint64_t block = 0;
  StreamInfo stream;
};

struct Appended {
  std::uint64_t block = 0;                                                         // 0: there was nothing to store
  std::uint64_t held_block = 0;                                                    // of held records; 0: none
  std::uint64_t shed_held = 0;                                                     // held records that had no room, not stored
  std::uint64_t evicted_delivered = 0, evicted_held = 0, evicted_undelivered = 0;  // records
  std::uint64_t evicted_backlog = 0;     // of evicted_undelivered: from blocks that were stored before this writer opened the spool
  std::uint64_t evicted_held_early = 0;  // of evicted_held: to make room, before --hold
  std::uint64_t evicted_rejected = 0;    // records of the rejected store
  std::vector<EvictedStream> evicted_streams = {};  // of evicted_undelivered, while a consumer is registered
  bool ring = false;  // no consumer is registered: nobody waited for records that were evicted as delivered ones
};

// What the writer did for a release with one held block.
struct Released {
  std::string release;
  std::uint64_t records = 0, line_bytes = 0;  // that were copied; none when nothing of the block was held any more
  Appended appended = {};
};

// What a spool holds now. A block that is not acknowledged whole counts whole.
struct Stock {
  std::uint64_t allowed = 0;                                     // bytes that records may take: --max-size, or less by --min-free
  std::uint64_t limit = 0;                                       // as `allowed`, or less, by what is free on the disk
  bool full = false;                                             // the last records found no room, and nothing was stored since
  std::uint64_t file_bytes = 0;                                  // of the file and its write-ahead log
  std::uint64_t undelivered_records = 0, undelivered_bytes = 0;  // that somebody waits for; bytes on disk
  std::uint64_t held_bytes = 0;                                  // on disk, of blocks of held records
  base::Timestamp oldest_undelivered = 0, oldest_held = 0;       // when the oldest such block was stored; 0: there is none
};

// Not thread safe.
class Writer {
 public:
  // Opens or makes the spool, and its folder (0700) if the folder above exists. Sets a damaged file aside and saves what can be
  // read of it (spool/salvage.h); take_report() describes that. When the write-ahead log of the file is missing, take_report() says
  // what is missing with it. Stores what an earlier writer put into its recent file, as far as it is safe. For this it waits up to
  // options.wait for processes that still acknowledge. Errors: busy (names the holder; or the file is in use under another name),
  // usage (not a spool, or its log stands beside another name), version, io, full, interrupted.
  static base::Result<std::unique_ptr<Writer>> open(const WriterOptions& options, const base::Clock& clock, const base::Stop* stop);
  ~Writer();

  [[nodiscard]] std::uint64_t spool() const;
  base::Result<Keeper> load_keeper();

  // What open(), append() and maintain() found since the last call and the user must learn.
  Report take_report();

  // With options.forwards_to: `block` is the first that was not passed on. While that consumer is not registered, this place stands
  // for its own, so blocks from there on count as undelivered; before the first call all blocks do. Call it before whatever may
  // evict. Why: the stage behind registers the consumer only when the stream has reached it, and the spool may fill up sooner.
  void keep_from(std::uint64_t block);

  // Part of a log was lost before it came here: `log` is its name, and `bytes` how much, where that is known. Held records were not
  // stored. The next commit stores both, so that `spool status` can tell.
  void note_gap(std::string_view log, std::optional<std::uint64_t> bytes);
  void note_shed(std::uint64_t records);

  // Stores the builder's block and the positions that moved in the keeper (null: no positions) in one transaction, which also
  // evicts. Does nothing when the builder is empty and no position moved. Changes neither builder nor keeper when it fails, so that
  // the caller may try again. Errors: full (no block may be evicted to make room, or the disk is full), io, busy, corrupt.
  base::Result<Appended> append(BlockBuilder& builder, Keeper* keeper, RejectedStore* rejections = nullptr,
                                Effort effort = Effort::fast);
  // As append(), and stores the held records that came with them in the same transaction, in a block of their own with the lower
  // number. Held records never take the place of undelivered ones: when they have no room, they are shed, the rest is stored, and
  // Appended says how many were shed. Positions go into the row of the other block, or of the held one when there is no other.
  base::Result<Appended> append_with_held(BlockBuilder& builder, BlockBuilder& held, Keeper* keeper, Effort effort = Effort::fast,
                                          Effort held_effort = Effort::lasting);

  // Returns a number for a block that is passed on before it is stored (buffer --spill). No writer ever hands it out again, also
  // after a kill.
  base::Result<std::uint64_t> hand_out();
  // Stores held records before the group that they came with is passed on. `block` was handed out for them, and `group`, a higher
  // number, for the group; 0: they came without positions, so nobody reads them again. If the positions of the group do not become
  // safe, the next writer deletes the block. Sheds as append_with_held() does.
  base::Result<Appended> append_held(BlockBuilder& held, std::uint64_t block, std::uint64_t group, Effort effort = Effort::lasting);
  // Stores in one transaction the positions of blocks with handed-out numbers, and with the last of them the records in `builder`,
  // which may be empty. All earlier blocks must be stored already, so that the positions in the file have no hole. Evicts and fails
  // as append() does.
  base::Result<Appended> append_handed(BlockBuilder& builder, std::span<const Handed> handed, Effort effort = Effort::fast);
  // Writes to the recent file (spool/recent_file.h), where the next writer finds it if this process is killed. note(): blocks that
  // are passed on and not stored; their positions count when every consumer has acknowledged them. note_safe(): positions that are
  // safe now. False when the file cannot hold it.
  [[nodiscard]] bool note(std::span<const Handed> handed);
  [[nodiscard]] bool note_safe(std::string_view positions);

  // Evicts what is too old, gives unused space back, and does what other processes asked for, in small steps. Returns the
  // wall-clock time at which to call it again.
  base::Result<base::Timestamp> maintain(Appended& evicted);

  // Some release has records to copy (spool/release.h).
  base::Result<bool> releases_wait();
  // Copies what a release asks for of one held block into a new block, in one transaction with everything that records it. Nullopt:
  // there is nothing to copy. `builder` is empty before; afterwards it has the copies, for the caller to take. Evicts and fails as
  // append() does; after an error nothing has changed and `builder` is empty.
  base::Result<std::optional<Released>> release_next(BlockBuilder& builder);

  // What the spool holds. Costs some reads and a look at each block in memory: not once a batch.
  base::Result<Stock> stock();

  // Gives a part of the unused space back now. True: there is more.
  base::Result<bool> compact();

  // When the spool was deleted or replaced while it was written: how many of its records are not acknowledged, with those in
  // flight. They are gone when this writer ends. Nullopt: the file is still at its path.
  base::Result<std::optional<std::uint64_t>> gone();

  // Copies the write-ahead log into the file and closes. The destructor does the same and ignores errors. On a full disk the log
  // stays. Error io when the file is gone().
  base::Result<void> close();

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::spool
