// Evictions, and how much disk space a commit may take: asks file and system for the facts, and carries out what plan_evictions()
// decides.
#include "spool/writer_state.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "spool/block_decoder.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/meta.h"
#include "spool/tables/rejected.h"
#include "spool/tables/releases.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

namespace weir::spool {

base::Result<Writer::State::Pages> Writer::State::count_pages() {
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

RoomFacts Writer::State::room_facts(std::uint64_t pages, bool grow, bool ask_disk) const {
  return {.max_size = options.max_size,
          .max_log = max_log,
          .pages = pages,
          .grow = grow,
          .min_free = options.min_free,
          .floor = kFloor,
          .disk = ask_disk ? disk_space(folder) : std::nullopt};
}

Room Writer::State::room(std::uint64_t pages, bool grow) const {
  return allowed_room(room_facts(pages, grow, options.min_free > 0));
}

base::Error Writer::State::no_room(Bound bound) const {
  if (bound == Bound::disk) {
    struct rlimit largest = {};
    if (::getrlimit(RLIMIT_FSIZE, &largest) == 0 && largest.rlim_cur != RLIM_INFINITY && largest.rlim_cur < options.max_size) {
      return base::fail(base::Code::full, "cannot store records in '{}': no file may be larger than {} (ulimit -f)", options.path,
                        record::print_size(largest.rlim_cur))
          .with_hint("raise that limit, or keep the spool below it with --max-size");
    }
    const auto disk = disk_space(folder);
    return base::fail(base::Code::full, "cannot store records in '{}': the disk is full{}", options.path,
                      disk ? fmt::format(" ({} left)", record::print_size(disk->free)) : std::string())
        .with_hint("it goes on by itself when there is room in '" + folder + "'");
  }
  const std::string why = bound == Bound::min_free
                              ? fmt::format("less than {} % of the file system is free", options.min_free)
                              : fmt::format("it has reached its limit of {}", record::print_size(options.max_size));
  return base::fail(base::Code::full, "cannot store records in '{}': {}, and its records are not delivered yet", options.path, why)
      .with_hint(fmt::format("it goes on when records are delivered; {}, or evict the oldest with --on-full drop-oldest",
                             bound == Bound::min_free ? "free disk space, lower --min-free" : "raise --max-size"));
}

// Who waits for blocks.
base::Result<Awaited> Writer::State::awaited() {
  auto lowest = lowest_consumer_block(file.database);
  if (!lowest) return std::move(lowest).error();
  Awaited by{.lowest_consumer = *lowest};
  if (options.forwards_to.empty()) return by;
  auto registered = is_consumer(file.database, options.forwards_to);
  if (!registered) return std::move(registered).error();
  if (!*registered) by.next_to_pass = next_to_pass;
  return by;
}

base::Result<EvictionPlan> Writer::State::plan(std::uint64_t need, std::uint64_t held_need, base::Timestamp now, bool grow) {
  refused = false;
  auto by = awaited();
  if (!by) return std::move(by).error();
  ring = !by->lowest_consumer.has_value();
  auto pages = count_pages();
  if (!pages) return std::move(pages).error();
  if (pages->unused >= pages->all) return base::fail(base::Code::corrupt, "cannot use '{}': its header is damaged", options.path);
  auto rejected = rejected_bytes(file.database);
  if (!rejected) return std::move(rejected).error();
  auto to_release = blocks_to_release(file.database);
  if (!to_release) return std::move(to_release).error();
  const EvictionLimits limits{.retain = retain_for(*by, options.retain, clock->monotonic() - opened_at),
                              .hold = options.hold,
                              .hold_max = options.hold_max > 0 ? options.hold_max : options.max_size / 4,
                              .drop_undelivered = options.on_full == OnFull::drop_oldest,
                              .room = room(pages->all, grow)};
  const SpoolUse use{.used = pages->all - pages->unused,
                     .need = need,
                     .held_need = held_need,
                     .delivered_below = delivered_below(*by),
                     .rejected_bytes = *rejected,
                     .pinned = {to_release->begin(), to_release->end()}};
  EvictionPlan plan = plan_evictions(blocks, limits, use, now);
  tight = plan.tight;
  refused = plan.refused;
  if (refused) return no_room(limits.room.bound);
  return plan;
}

std::uint64_t Writer::State::newest_of(const EvictionPlan& plan) const {
  return plan.evictions.empty() ? 0 : blocks[plan.evictions.back().index].id;
}

base::Result<void> Writer::State::evict(std::uint64_t block, bool undelivered) {
  if (auto counted = count_release_block(block, undelivered); !counted) return counted;
  auto records = delete_ranges_of(file.database, block);
  if (!records) return std::move(records).error();
  if (auto counted = count_evicted_rejected(file.database, *records); !counted) return counted;
  return delete_block(file.database, block);
}

base::Result<void> Writer::State::note_streams(const StoredBlock& block, std::vector<EvictedStream>& evicted) {
  std::string packed_streams;
  if (auto found = read_streams(file.database, block.id, packed_streams); !found) return std::move(found).error();
  auto streams = BlockDecoder().streams(packed_streams);
  if (!streams) {
    report.sentences.push_back(
        fmt::format("the list of streams in block {} of the spool '{}' is damaged: no gap record tells that {} evicted", block.id,
                    options.path, base::count_of(block.records, "record was", "records were")));
    return {};
  }
  for (StreamInfo& stream : *streams) evicted.push_back({block.id, std::move(stream)});
  return {};
}

base::Result<Appended> Writer::State::carry_out(const EvictionPlan& plan) {
  if (auto done = store_steps(); !done) return std::move(done).error();
  Appended counts;
  counts.ring = ring;
  for (const Eviction& one : plan.evictions) {
    const StoredBlock& block = blocks[one.index];
    if (one.kept == Kept::undelivered && !ring) {
      if (auto noted = note_streams(block, counts.evicted_streams); !noted) return std::move(noted).error();
    }
    if (auto done = evict(block.id, one.kept == Kept::undelivered); !done) return std::move(done).error();
    (one.kept == Kept::delivered ? counts.evicted_delivered
     : one.kept == Kept::held    ? counts.evicted_held
                                 : counts.evicted_undelivered) += block.records;
    if (one.kept == Kept::held && one.why != Eviction::Why::age) counts.evicted_held_early += block.held;
    if (one.kept == Kept::undelivered && block.id < first_own) counts.evicted_backlog += block.records;
  }
  if (plan.rejected_bytes > 0) {
    auto evicted = evict_rejected(file.database, plan.rejected_bytes);
    if (!evicted) return std::move(evicted).error();
    counts.evicted_rejected = evicted->records;
  }
  // Without a consumer, what an earlier process has passed on is not known, nor what this one still passes on from memory.
  if (counts.evicted_undelivered > 0 && !ring) {
    auto counted = add_to_meta(file.database, Meta::evicted_undelivered, counts.evicted_undelivered);
    if (!counted) return std::move(counted).error();
    if (auto noted = set_meta(file.database, Meta::evicted_last, clock->wall()); !noted) return std::move(noted).error();
  }
  if (counts.evicted_held_early > 0) {
    if (auto counted = add_to_meta(file.database, Meta::evicted_held, counts.evicted_held_early); !counted)
      return std::move(counted).error();
  }
  return counts;
}

void Writer::State::forget(const EvictionPlan& plan) {
  steps.stored();
  if (plan.evictions.empty()) return;
  std::size_t kept_to = 0;
  auto next = plan.evictions.begin();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (next != plan.evictions.end() && next->index == i) {
      ++next;
    } else {
      blocks[kept_to++] = blocks[i];
    }
  }
  blocks.resize(kept_to);
}

base::Result<void> Writer::State::copy_log() {
  auto done = file.database.checkpoint(false);
  if (!done && done.error().code == base::Code::full && Reserve::release(options.path)) done = file.database.checkpoint(false);
  if (!done) return std::move(done).error();
  // The first page may have come out of the log with an older one.
  note_log();
  return {};
}

base::Result<void> Writer::State::maybe_copy_log() {
  return copy_due(static_cast<std::uint64_t>(file.database.log_frames()), max_log) ? copy_log() : base::Result<void>();
}

std::uint64_t Writer::State::log_with(std::uint64_t need) const {
  return log_bytes(static_cast<std::uint64_t>(file.database.log_frames()), need);
}

bool Writer::State::fits_into_log(std::uint64_t need) const {
  struct stat status = {};
  return ::stat((options.path + "-wal").c_str(), &status) == 0 && log_with(need) <= static_cast<std::uint64_t>(status.st_size);
}

}  // namespace weir::spool
