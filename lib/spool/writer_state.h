// The inside of Writer, for the two files that implement it.
#pragma once

#include "record/timestamp.h"
#include "spool/clock_steps.h"
#include "spool/damage.h"
#include "spool/lock_file.h"
#include "spool/log_note.h"
#include "spool/recent_file.h"
#include "spool/recent_state.h"
#include "spool/reserve.h"
#include "spool/stored_positions.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/meta.h"
#include "spool/tables/positions.h"
#include "spool/tables/rejected.h"
#include "spool/writer.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <optional>
#include <vector>

namespace weir::spool {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kMaxLog = 32 << 20;       // of write-ahead log before it is copied into the file
inline constexpr std::uint64_t kSnapshotEvery = 64;      // rows with positions
inline constexpr std::size_t kExpirePerCommit = 16;      // blocks: a commit stays short
inline constexpr std::uint64_t kFrame = kPage + 24;      // of the write-ahead log
inline constexpr std::uint64_t kSlack = 64;              // pages that a commit writes besides its block
inline constexpr std::uint64_t kHandedAtOnce = 1 << 16;  // numbers reserved in one commit
inline constexpr std::uint64_t kEvictAhead = 8;          // blocks of the size of the new one: one commit in so many changes old pages

// Why a block is still there.
enum class Kept : std::uint8_t { delivered, held, undelivered };

struct Known {
  std::uint64_t id = 0;
  base::Timestamp stored = 0;  // by today's clock
  std::uint64_t body_bytes = 0;
  std::uint32_t records = 0, held = 0;
};

struct Writer::State {
  WriterOptions options;
  const base::Clock* clock = nullptr;
  LockFile lock;
  SpoolFile file;
  std::deque<Known> blocks;  // with records, oldest first
  std::uint64_t next_block = 1;
  std::uint64_t handed_next = 0, handed_end = 0;  // numbers that were reserved and are not given out yet
  std::uint64_t through_block = 0;  // of the positions snapshot
  std::uint64_t rows_behind = 0;    // that are not part of the snapshot
  std::uint64_t newest_row = 0;     // in the file
  ClockSteps steps;
  std::uint64_t stored_last = 0;    // the file says what is safe up to this block; numbers above may be handed out already
  std::uint64_t max_log = kMaxLog;
  std::string folder;
  Reserve reserve;
  RecentFile recent;
  PackedBlock packed;
  News news;
  std::uint64_t inode = 0;
  bool loss_told = false;  // that the file is not at its path any more
  bool refused = false;  // the last plan found that nothing may go to make room
  bool tight = false;    // the last plan left little of what the size allows
  bool closed = false;

  // The file as it is now, checked as far as a writer relies on it.
  base::Result<void> open() {
    auto done = open_checked();
    // Our own statements can only be wrong when the schema is.
    if (!done && done.error().code == base::Code::bug) return base::fail(base::Code::corrupt, "{}", done.error().message);
    return done;
  }

  base::Result<void> open_checked() {
    if (auto whole = look_whole(options.path); !whole) return whole;
    auto opened = open_for_writing(options.path, options.sync, options.wait);
    if (!opened) return std::move(opened).error();
    file = std::move(*opened);
    inode = inode_of(options.path);
    const std::string log = fmt::format("PRAGMA journal_size_limit = {}", max_log);
    if (auto set = file.database.execute(log.c_str()); !set) return set;
    const auto vacuum = file.database.integer("PRAGMA auto_vacuum");
    if (!vacuum) return vacuum.error();
    if (*vacuum != 2) return base::fail(base::Code::corrupt, "cannot use '{}': its header is damaged", options.path);
    if (auto done = load(); !done) return done;
    return check_small(file.database, options.path);
  }

  void close_file() {
    blocks.clear();
    steps = {};
    file = SpoolFile();
  }

  base::Result<void> load() {
    bool in_order = true;
    auto done = for_each_block(file.database, {}, [&](const BlockInfo& block) {
      in_order = in_order && (blocks.empty() || block.id > blocks.back().id);
      blocks.push_back({block.id, block.stored, block.body_bytes, block.records, block.held});
    });
    if (!done) return done;
    if (!in_order) return base::fail(base::Code::corrupt, "cannot read the blocks of '{}': they are out of order", options.path);
    if (auto loaded = load_steps(); !loaded) return loaded;
    return load_numbers();
  }

  // The times of the blocks by today's clock.
  base::Result<void> load_steps() {
    auto known = read_clock_steps(file.database);
    if (!known) return std::move(known).error();
    for (const StoredStep& step : *known) steps.load(step.through, step.by);
    for (Known& block : blocks) block.stored = steps.corrected(block.id, block.stored);
    auto boot = read_meta(file.database, Meta::clock_boot);
    auto offset = read_meta(file.database, Meta::clock_offset);
    if (!boot || !offset) return boot ? std::move(offset).error() : std::move(boot).error();
    const bool same = *boot != 0 && static_cast<std::uint64_t>(*boot) == this_boot();
    const base::Duration step = steps.begin(*clock, blocks.empty() ? 0 : blocks.back().id, blocks.empty() ? 0 : blocks.back().stored,
                                            same ? std::optional(*offset) : std::nullopt);
    for (Known& block : blocks) block.stored += step;
    return {};
  }

  // Was the clock set since the last look? To be called before times are compared or stored.
  void look_at_clock() {
    const base::Duration step = steps.look(*clock, blocks.empty() ? 0 : blocks.back().id);
    if (step == 0) return;
    for (Known& block : blocks) block.stored += step;
    news.sentences.push_back(fmt::format("the clock of this machine was set {} by {}: what is in spool '{}' ages by the time that passes",
                                         step > 0 ? "forward" : "back", record::print_duration(std::abs(step) / base::kSecond * base::kSecond),
                                         options.path));
  }
  // Within a transaction.
  base::Result<void> store_steps() {
    for (const auto& [through, by] : steps.pending()) {
      if (auto done = add_clock_step(file.database, {through, by}); !done) return done;
    }
    return steps.pending().empty() ? base::Result<void>() : store_clock();
  }
  base::Result<void> store_clock() {
    if (auto done = set_meta(file.database, Meta::clock_boot, static_cast<std::int64_t>(this_boot())); !done) return done;
    return set_meta(file.database, Meta::clock_offset, steps.offset());
  }
  // What a writer says of itself when it begins, in one commit.
  base::Result<void> begin_file() {
    auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    if (auto done = set_meta(file.database, Meta::rejected_max, static_cast<std::int64_t>(rejected_max())); !done) return done;
    if (auto done = store_steps(); !done) return done;
    if (auto done = store_clock(); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
    steps.stored();
    return {};
  }

  base::Result<void> load_numbers() {
    auto next = next_number(file.database, options.path, file.id);
    if (!next) return std::move(next).error();
    next_block = *next;
    auto through = read_through_block(file.database);
    if (!through) return std::move(through).error();
    through_block = *through;
    auto behind = count_rows_after(file.database, through_block);
    if (!behind) return std::move(behind).error();
    rows_behind = *behind;
    auto last = newest_block(file.database);
    if (!last) return std::move(last).error();
    stored_last = newest_row = std::max(*last, through_block);
    return {};
  }

  // How far the log goes, for whoever finds the file without it.
  void note_log() const {
    std::uint64_t records = 0;
    for (const Known& block : blocks) records += block.records;
    leave_note(file.name.fd(), {newest_row, records, clock->wall()});
  }

  // False: the file's note knows of more than the file holds. That is told, and its numbers are not given out again; what processes
  // noted since their last commit builds on what is missing, and counts for nothing. Error: usage, when the log may stand beside
  // another name of the file.
  base::Result<bool> look_for_log();
  // Records that not every consumer has acknowledged.
  base::Result<std::uint64_t> undelivered();

  // Blocks below it are acknowledged by everybody.
  base::Result<std::uint64_t> delivered_below() {
    auto lowest = lowest_consumer_block(file.database);
    if (!lowest) return std::move(lowest).error();
    // With nobody registered the spool is a ring.
    return lowest->value_or(~0ULL);
  }

  // Of the file: all, and those that are not in use.
  struct Pages {
    std::uint64_t all = 0, unused = 0;
  };
  base::Result<Pages> count_pages() {
    Pages pages;
    for (const auto& [sql, value] : {std::pair("PRAGMA page_count", &pages.all), std::pair("PRAGMA freelist_count", &pages.unused)}) {
      auto statement = file.database.query(sql);
      if (!statement) return std::move(statement).error();
      auto row = (*statement)->step();
      if (!row) return std::move(row).error();
      *value = static_cast<std::uint64_t>((*statement)->integer(0));
    }
    return pages;
  }

  [[nodiscard]] Kept kept(const Known& block, std::uint64_t below, base::Timestamp now) const {
    if (block.id >= below) return Kept::undelivered;
    return block.held > 0 && now - block.stored < options.hold ? Kept::held : Kept::delivered;
  }

  // Bytes that pages in use may take, and what keeps it from being more.
  enum class Bound : std::uint8_t { size, min_free, disk };
  struct Room {
    std::uint64_t bytes = 0;
    Bound bound = Bound::size;
  };
  [[nodiscard]] Room room(std::uint64_t pages, bool grow) const {
    Room allowed{options.max_size > max_log ? options.max_size - max_log : options.max_size / 2, Bound::size};
    if (!grow && pages * kPage < allowed.bytes) allowed = {pages * kPage, Bound::disk};
    struct statvfs system = {};
    if (options.min_free > 0 && ::statvfs(folder.c_str(), &system) == 0 && system.f_blocks > 0) {
      const double free = static_cast<double>(system.f_bavail) / static_cast<double>(system.f_blocks);
      const std::uint64_t bytes = std::max(kFloor, pages * kPage);
      if (free * 100 < options.min_free && bytes < allowed.bytes) allowed = {bytes, Bound::min_free};
    }
    return allowed;
  }

  [[nodiscard]] base::Error no_room(Bound bound) const {
    if (bound == Bound::disk) {
      struct rlimit largest = {};
      if (::getrlimit(RLIMIT_FSIZE, &largest) == 0 && largest.rlim_cur != RLIM_INFINITY && largest.rlim_cur < options.max_size) {
        return base::fail(base::Code::full, "cannot store records in '{}': no file may be larger than {} (ulimit -f)", options.path,
                          record::print_size(largest.rlim_cur))
            .with_hint("raise that limit, or keep the spool below it with --max-size");
      }
      struct statvfs system = {};
      const bool known = ::statvfs(folder.c_str(), &system) == 0;
      return base::fail(base::Code::full, "cannot store records in '{}': the disk is full{}", options.path,
                        known ? fmt::format(" ({} left)", record::print_size(system.f_bavail * system.f_frsize)) : std::string())
          .with_hint("it goes on by itself when there is room in '" + folder + "'");
    }
    const std::string why = bound == Bound::min_free ? fmt::format("less than {} % of the file system is free", options.min_free)
                                                     : fmt::format("it has reached its limit of {}", record::print_size(options.max_size));
    return base::fail(base::Code::full, "cannot store records in '{}': {}, and what it holds is not delivered yet", options.path, why)
        .with_hint(fmt::format("it goes on when records are delivered; raise {}, or let the oldest go with --on-full drop-oldest",
                               bound == Bound::min_free ? "what is free, or lower --min-free" : "--max-size"));
  }

  base::Result<void> evict(const Known& block) {
    auto records = delete_ranges_of(file.database, block.id);
    if (!records) return std::move(records).error();
    if (auto counted = count_evicted_rejected(file.database, *records); !counted) return counted;
    return delete_block(file.database, block.id);
  }

  struct Plan {
    std::vector<std::size_t> evictions;  // indices into blocks, oldest first
    Appended counts;
    std::uint64_t newest = 0;
    std::uint64_t rejected_bytes = 0;    // of the rejected store, that go
  };

  static void plan_one(Plan& plan, const Known& block, std::size_t index, Kept kept) {
    plan.evictions.push_back(index);
    plan.newest = std::max(plan.newest, block.id);
    (kept == Kept::delivered ? plan.counts.evicted_delivered : kept == Kept::held ? plan.counts.evicted_held : plan.counts.evicted_undelivered) +=
        block.records;
  }

  static std::uint64_t pages_of(std::uint64_t body_bytes) { return body_bytes / (kPage - 4) + 1; }

  // What goes, so that `need` more pages fit: first what is over its time, then delivered, then held, then (if allowed) undelivered
  // blocks, the oldest first. The newest block always stays: it keeps the numbers going up. Error full.
  base::Result<Plan> plan(std::uint64_t need, base::Timestamp now, bool grow) {
    refused = false;
    auto below = delivered_below();
    if (!below) return std::move(below).error();
    auto pages = count_pages();
    if (!pages) return std::move(pages).error();
    if (pages->unused >= pages->all) return base::fail(base::Code::corrupt, "cannot use '{}': its header is damaged", options.path);

    Plan plan;
    const std::uint64_t used = pages->all - pages->unused;
    const Room allowed = room(pages->all, grow);
    const std::uint64_t limit = allowed.bytes / kPage;
    tight = used + need > limit - limit / 16;
    std::uint64_t freed = 0;
    std::vector<char> goes(blocks.size(), 0);
    const auto go = [&](std::size_t i, Kept kept) {
      goes[i] = 1;
      freed += pages_of(blocks[i].body_bytes);
      plan_one(plan, blocks[i], i, kept);
    };
    const std::size_t candidates = blocks.empty() ? 0 : blocks.size() - 1;
    for (std::size_t i = 0; i < candidates && plan.evictions.size() < kExpirePerCommit; ++i) {
      if (now - blocks[i].stored < options.retain) break;
      if (kept(blocks[i], *below, now) == Kept::delivered) go(i, Kept::delivered);
    }
    if (options.hold_max > 0) {
      std::uint64_t held_bytes = 0;
      for (std::size_t i = candidates; i-- > 0;) {
        if (goes[i] != 0 || now - blocks[i].stored < options.retain || kept(blocks[i], *below, now) != Kept::held) continue;
        held_bytes += blocks[i].body_bytes;
        if (held_bytes > options.hold_max) go(i, Kept::held);
      }
    }
    for (const Kept kind : {Kept::delivered, Kept::held, Kept::undelivered}) {
      if (used + need <= limit + freed) break;
      if (kind == Kept::undelivered) {
        // What nobody will take goes before what waits for its delivery.
        auto rejected = rejected_bytes(file.database);
        if (!rejected) return std::move(rejected).error();
        plan.rejected_bytes = std::min(*rejected, (used + need - limit - freed + limit / 32) * kPage);
        freed += plan.rejected_bytes / kPage;
        if (used + need <= limit + freed) break;
      }
      if (kind == Kept::undelivered && options.on_full == OnFull::block) break;
      const std::uint64_t ahead = kind == Kept::undelivered ? 0 : std::min(need * kEvictAhead, limit / 32);
      for (std::size_t i = 0; i < candidates && used + need + ahead > limit + freed; ++i) {
        if (goes[i] == 0 && kept(blocks[i], *below, now) == kind) go(i, kind);
      }
    }
    // A block that is larger than the limit by itself is taken all the same: refusing it would not make it smaller.
    const bool waits = options.on_full == OnFull::block && !blocks.empty() && blocks.back().id >= *below;
    if (used + need > limit + freed && need > 0 && (waits || allowed.bound == Bound::disk)) {
      refused = true;
      return no_room(allowed.bound);
    }
    std::ranges::sort(plan.evictions);
    return plan;
  }

  base::Result<void> carry_out(Plan& plan) {
    if (auto done = store_steps(); !done) return done;
    for (const std::size_t i : plan.evictions) {
      if (auto done = evict(blocks[i]); !done) return done;
    }
    if (plan.rejected_bytes > 0) {
      auto evicted = evict_rejected(file.database, plan.rejected_bytes);
      if (!evicted) return std::move(evicted).error();
      plan.counts.evicted_rejected = evicted->records;
    }
    if (plan.counts.evicted_undelivered > 0) {
      return add_to_meta(file.database, Meta::evicted_undelivered, plan.counts.evicted_undelivered);
    }
    return {};
  }

  // After the commit.
  void forget(const Plan& plan) {
    steps.stored();
    std::size_t kept_to = 0;
    std::size_t next = 0;
    if (plan.evictions.empty()) return;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (next < plan.evictions.size() && plan.evictions[next] == i) {
        ++next;
      } else {
        blocks[kept_to++] = blocks[i];
      }
    }
    blocks.resize(kept_to);
  }

  void snapshot_written(std::uint64_t through) {
    through_block = through;
    newest_row = std::max(newest_row, through);
    rows_behind = 0;
  }

  base::Result<void> write_snapshot(const Keeper& keeper, std::uint64_t through) {
    if (auto done = spool::write_snapshot(file.database, through, keeper.snapshot()); !done) return done;
    // Rows that carried nothing but positions have done their work.
    return delete_position_rows(file.database, through);
  }

  base::Result<void> insert(std::uint64_t id, const std::string& positions, base::Timestamp now) {
    BlockInfo& info = packed.info;
    info.id = id;
    info.stored = now;
    return insert_block(file.database, sealed(info, packed.streams, positions, packed.body));
  }

  // Positions alone.
  base::Result<void> insert(const Handed& handed, base::Timestamp now) {
    BlockInfo info;
    info.id = handed.block;
    info.stored = now;
    return insert_block(file.database, sealed(info, {}, handed.positions, {}));
  }

  // Bytes of whole records that the rejected store may hold.
  [[nodiscard]] std::uint64_t rejected_max() const { return options.rejected_max > 0 ? options.rejected_max : options.max_size / 10; }

  // What the log holds into the file, as far as nobody reads it. A full disk gives up its reserve for this.
  base::Result<void> copy_log() {
    auto done = file.database.checkpoint(false);
    if (!done && done.error().code == base::Code::full && Reserve::release(options.path)) done = file.database.checkpoint(false);
    if (!done) return std::move(done).error();
    // The first page may have come out of the log with an older one.
    note_log();
    return {};
  }

  base::Result<void> maybe_checkpoint() {
    if (static_cast<std::uint64_t>(file.database.log_frames()) * kPage < max_log) return {};
    return copy_log();
  }

  // Bytes of the log when a commit with `need` pages of records is in it.
  [[nodiscard]] std::uint64_t log_bytes(std::uint64_t need) const {
    return (static_cast<std::uint64_t>(file.database.log_frames()) + need + need / 4 + kSlack) * kFrame;
  }

  [[nodiscard]] bool fits_into_log(std::uint64_t need) const {
    struct stat status = {};
    return ::stat((options.path + "-wal").c_str(), &status) == 0 && log_bytes(need) <= static_cast<std::uint64_t>(status.st_size);
  }

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
  // What the writer before this one noted and did not store.
  base::Result<void> settle_recent(const base::Stop* stop);
  base::Result<void> wait_for_consumers(const base::Stop* stop);

  base::Result<void> tend(Appended& evicted, bool& more);
  void look_for_file();
  base::Result<void> expire(Plan& plan);
  base::Result<void> tend_rejected(Appended& evicted, bool& more);
  base::Result<bool> shrink();
  base::Result<void> serve_request(bool& more);
  base::Result<void> set_aside(std::uint64_t block);

  // What SQLite calls damaged is looked at more closely, and saved, when the file is opened the next time.
  base::Error seen(base::Error error) {
    if (error.code != base::Code::corrupt) return error;
    mark_damaged(options.path);
    return std::move(error).with_hint("start again: what can be read is saved into a new file then, and the damaged one is kept");
  }
};

}  // namespace weir::spool
