// What a writer does besides appending: eviction by age, space, requests of other processes, damaged blocks.
#include "spool/writer_state.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "spool/damage.h"
#include "spool/stored_positions.h"
#include "spool/tables/blocks.h"
#include "spool/tables/meta.h"
#include "spool/tables/rejected.h"
#include "spool/tables/requests.h"

#include <sys/stat.h>

#include <algorithm>

namespace weir::spool {
namespace {

constexpr std::uint64_t kVacuumStep = 1024;  // pages
constexpr base::Duration kMoment = 100 * base::kMillisecond;
constexpr int kCompactSteps = 16;  // in one call, for a request
constexpr base::Duration kRejectedKept = 7 * 24 * base::kHour;
constexpr std::uint64_t kRejectedAtOnce = 4 << 20;            // bytes that one commit evicts
constexpr base::Duration kMaintainEvery = 5 * base::kSecond;  // a request of another process waits at most so long
constexpr base::Duration kReportAgain = base::kHour;          // a file system whose free space moves around the limit is no news

}  // namespace

base::Result<base::Timestamp> Writer::maintain(Appended& evicted) {
  State& state = *state_;
  bool more = false;
  auto done = state.maintain(evicted, more);
  if (!done && done.error().code == base::Code::full && Reserve::release(state.options.path)) {
    static_cast<void>(state.copy_log());
    done = state.maintain(evicted, more);
  }
  if (!done) return state.note_damage(std::move(done).error());
  static_cast<void>(state.reserve.make(state.log_with(0)));
  return state.clock->wall() + (more ? base::kSecond : kMaintainEvery);
}

// Processes that have a deleted file open go on using it; the next start begins without it.
void Writer::State::check_path() {
  const bool lost = inode_of(options.path) != inode;
  if (lost && !loss_reported) {
    report.sentences.push_back(fmt::format(
        "spool '{}' was deleted or replaced while it is in use: its records and positions are lost when this process ends",
        options.path));
  }
  loss_reported = lost;
}

void Writer::State::check_free_space(std::uint64_t pages) {
  const bool bounds = room(pages, true).bound == Bound::min_free;
  const base::Monotonic now = clock->monotonic();
  if (bounds && !min_free_bounds && (min_free_reported == base::kNever || now - min_free_reported >= kReportAgain)) {
    min_free_reported = now;
    report.sentences.push_back(
        fmt::format("less than {} % of the file system is free (--min-free): spool '{}' does not grow beyond {}", options.min_free,
                    options.path, record::print_size(std::max(kFloor, pages * kPage))));
  }
  min_free_bounds = bounds;
}

base::Result<void> Writer::State::maintain(Appended& evicted, bool& more) {
  check_path();
  check_clock();
  const base::Timestamp now = clock->wall();
  auto made = plan(0, 0, now, true);
  if (!made) return std::move(made).error();
  if (!made->evictions.empty() || made->rejected_bytes > 0 || !steps.pending().empty()) {
    auto counts = expire(*made);
    if (!counts) return std::move(counts).error();
    forget(*made);
    evicted = *counts;
    more = made->evictions.size() >= kExpirePerCommit;
  }
  if (auto done = expire_rejected(evicted, more); !done) return done;
  if (auto done = store_losses(); !done) return done;
  auto pages = count_pages();
  if (!pages) return std::move(pages).error();
  check_free_space(pages->all);
  const bool scarce = min_free_bounds && pages->unused > 256;
  if (scarce || (pages->unused * kPage > max_log && pages->unused * 4 > pages->all)) {
    auto shrunk = shrink();
    if (!shrunk) return std::move(shrunk).error();
    more = true;
  }
  if (auto done = serve_request(more); !done) return done;
  if (auto done = maintain_releases(); !done) return done;
  // Commits of consumers also make the log grow; only its size shows that.
  struct stat log = {};
  if (::stat((options.path + "-wal").c_str(), &log) == 0 && static_cast<std::uint64_t>(log.st_size) > max_log) return copy_log();
  return maybe_copy_log();
}

// Evicts rejected records that are too old or too many, and ranges of blocks that an older release evicted without them.
base::Result<void> Writer::State::expire_rejected(Appended& evicted, bool& more) {
  auto bytes = rejected_bytes(file.database);
  if (!bytes) return std::move(bytes).error();
  const std::uint64_t over = *bytes > rejected_max() ? *bytes - rejected_max() : 0;
  const std::uint64_t oldest = blocks.empty() ? numbers.next() : blocks.front().id;
  const base::Timestamp late = clock->wall() - kRejectedKept;
  auto due = has_ranges_before(file.database, oldest);
  if (due && !*due) due = has_late_rejected(file.database, late);
  if (!due) return std::move(due).error();
  if (!*due && over == 0) return {};
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  if (over > 0) {
    auto gone = evict_rejected(file.database, std::min(over, kRejectedAtOnce));
    if (!gone) return std::move(gone).error();
    evicted.evicted_rejected += gone->records;
    more = more || over > kRejectedAtOnce;
  }
  if (*due) {
    if (auto done = delete_ranges_before(file.database, oldest); !done) return done;
    auto gone = delete_late_rejected(file.database, late);
    if (!gone) return std::move(gone).error();
    if (auto counted = count_evicted_rejected(file.database, *gone); !counted) return counted;
  }
  return transaction->commit();
}

base::Result<Appended> Writer::State::expire(const EvictionPlan& plan) {
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  const bool snapshot = numbers.snapshot_due(false, newest_of(plan));
  const std::uint64_t through = numbers.stored_through();
  if (snapshot) {
    // The snapshot keeps the deltas of the blocks that are evicted.
    Keeper keeper(options.path);
    if (auto loaded = load_positions(file.database, keeper); !loaded) return std::move(loaded).error();
    if (auto done = write_snapshot(keeper, through); !done) return std::move(done).error();
  }
  auto counts = carry_out(plan);
  if (!counts) return counts;
  if (auto done = delete_clock_steps(file.database); !done) return std::move(done).error();
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  if (snapshot) numbers.snapshot_written(through);
  return counts;
}

// Gives some unused pages back to the file system. False when there are none left.
base::Result<bool> Writer::State::shrink() {
  if (auto done = file.database.execute(fmt::format("PRAGMA incremental_vacuum({})", kVacuumStep).c_str()); !done)
    return std::move(done).error();
  auto left = count_pages();
  if (!left) return std::move(left).error();
  return left->unused > 0;
}

// The oldest request that another process left, or a step of it.
base::Result<void> Writer::State::serve_request(bool& more) {
  auto request = oldest_request(file.database);
  if (!request) return std::move(request).error();
  if (!*request) return {};
  more = true;
  if ((*request)->kind == RequestRow::Kind::compact) {
    bool left = true;
    for (int step = 0; step < kCompactSteps && left; ++step) {
      auto shrunk = shrink();
      if (!shrunk) return std::move(shrunk).error();
      left = *shrunk;
      if (auto copied = copy_log(); !copied) return copied;
    }
    if (left) return {};
    // The log's own space, unless somebody reads it at this moment.
    file.database.set_wait(kMoment);
    auto emptied = file.database.checkpoint(true);
    file.database.set_wait(options.wait);
    if (!emptied) return std::move(emptied).error();
  } else {
    if (auto done = set_aside((*request)->block); !done) return done;
  }
  return delete_request(file.database, (*request)->id);
}

base::Result<void> Writer::State::set_aside(std::uint64_t block) {
  auto damaged = is_damaged(options.path, block);
  if (!damaged) return std::move(damaged).error();
  if (!*damaged) return {};
  auto body = has_body(file.database, block);
  if (!body) return std::move(body).error();
  if (!*body) {
    // The body is not deleted: its table is damaged, and the body itself may be intact.
    return base::fail(base::Code::corrupt, "cannot find the body of block {} in '{}'", block, options.path);
  }
  auto saved = save_block(file.database, block, *clock);
  if (!saved) return std::move(saved).error();
  auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::write);
  if (!transaction) return std::move(transaction).error();
  const bool snapshot = numbers.snapshot_due(false, block);
  const std::uint64_t through = numbers.stored_through();
  if (snapshot) {
    Keeper keeper(options.path);
    if (auto loaded = load_positions(file.database, keeper); !loaded) return loaded;
    if (auto done = write_snapshot(keeper, through); !done) return done;
  }
  const auto at = std::ranges::find(blocks, block, &StoredBlock::id);
  const std::uint64_t records = at != blocks.end() ? at->records : 0;
  if (auto done = evict(block, true); !done) return done;
  if (auto done = add_to_meta(file.database, Meta::damaged_blocks, 1); !done) return done;
  if (auto done = add_to_meta(file.database, Meta::damaged_records, records); !done) return done;
  if (auto done = raise_meta(file.database, Meta::reserved_block, numbers.next() - 1); !done) return done;
  if (auto done = transaction->commit(); !done) return done;
  if (snapshot) numbers.snapshot_written(through);
  if (at != blocks.end()) blocks.erase(at);
  report.sentences.push_back(fmt::format("block {} of spool '{}' is damaged: {} set aside in '{}'", block, options.path,
                                         base::count_of(records, "record is", "records are"), *saved));
  return {};
}

base::Result<bool> Writer::compact() {
  auto left = state_->shrink();
  if (!left) return left;
  if (auto copied = state_->copy_log(); !copied) return std::move(copied).error();
  return left;
}

}  // namespace weir::spool
