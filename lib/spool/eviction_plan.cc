#include "spool/eviction_plan.h"

#include <algorithm>
#include <limits>

namespace weir::spool {

namespace {

// Bytes of the disk that min_free keeps free.
std::uint64_t kept_free(const RoomFacts& facts) {
  return facts.disk->size / 100 * static_cast<std::uint64_t>(std::max(0, facts.min_free));
}

}  // namespace

Room allowed_room(const RoomFacts& facts) {
  const std::uint64_t file = facts.pages * kPage;
  Room allowed{facts.max_size > facts.max_log ? facts.max_size - facts.max_log : facts.max_size / 2, Bound::size};
  if (!facts.grow && file < allowed.bytes) allowed = {file, Bound::disk};
  if (facts.disk && facts.disk->free < kept_free(facts)) {
    const std::uint64_t bytes = std::max(facts.floor, file);
    if (bytes < allowed.bytes) allowed = {bytes, Bound::min_free};
  }
  return allowed;
}

std::uint64_t reachable_room(const RoomFacts& facts) {
  const std::uint64_t allowed = allowed_room(facts).bytes;
  if (!facts.disk) return allowed;
  const std::uint64_t file = facts.pages * kPage;
  const std::uint64_t free = facts.disk->free;
  // Up to the floor, the file grows into what min_free keeps free.
  const std::uint64_t above = std::max(file + free - std::min(free, kept_free(facts)), std::min(facts.floor, file + free));
  return std::min(allowed, above);
}

std::uint64_t delivered_below(const Awaited& by) {
  constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
  return std::min(by.lowest_consumer.value_or(kAll), by.next_to_pass.value_or(kAll));
}

base::Duration retain_for(const Awaited& by, base::Duration retain, base::Duration open_for) {
  const bool may_register = by.next_to_pass.has_value() && open_for < kTimeToRegister;
  return may_register ? std::numeric_limits<base::Duration>::max() : retain;
}

Kept kept(const StoredBlock& block, std::uint64_t delivered_below, base::Duration hold, base::Timestamp now) {
  if (block.held_alone()) return Kept::held;
  if (block.id >= delivered_below) return Kept::undelivered;
  return block.held > 0 && now - block.stored < hold ? Kept::held : Kept::delivered;
}

// A page of a body holds the number of the next one, too.
std::uint64_t pages_of(std::uint64_t body_bytes) { return body_bytes / (kPage - 4) + 1; }

EvictionPlan plan_evictions(const std::deque<StoredBlock>& blocks, const EvictionLimits& limits, const SpoolUse& use,
                            base::Timestamp now) {
  using Why = Eviction::Why;
  EvictionPlan plan;
  const std::uint64_t limit = limits.room.bytes / kPage;
  std::uint64_t wanted = use.used + use.need + use.held_need;
  plan.tight = wanted > limit - limit / 16;
  std::uint64_t freed = 0;                    // pages
  std::vector<char> stays(blocks.size(), 0);  // pinned, or gone already
  for (std::size_t i = 0; !use.pinned.empty() && i < blocks.size(); ++i) stays[i] = use.pinned.contains(blocks[i].id) ? 1 : 0;
  const auto kind_of = [&](std::size_t i) { return kept(blocks[i], use.delivered_below, limits.hold, now); };
  const auto go = [&](std::size_t i, Kept kind, Why why) {
    stays[i] = 1;
    freed += pages_of(blocks[i].body_bytes);
    plan.evictions.push_back({i, kind, why});
  };
  const std::size_t candidates = blocks.empty() ? 0 : blocks.size() - 1;
  for (std::size_t i = 0; i < candidates && plan.evictions.size() < kExpirePerCommit; ++i) {
    if (stays[i] != 0) continue;
    const Kept kind = kind_of(i);
    const base::Duration most = blocks[i].held_alone() ? limits.hold : limits.retain;
    if (now - blocks[i].stored >= most && (kind == Kept::delivered || blocks[i].held_alone())) go(i, kind, Why::age);
  }
  if (limits.hold_max > 0) {
    std::uint64_t held_bytes = use.held_need * kPage;
    if (candidates < blocks.size() && blocks.back().held_alone()) held_bytes += blocks.back().body_bytes;
    for (std::size_t i = candidates; i-- > 0;) {
      // A block with other records, too, is kept for those until `retain`.
      if (stays[i] != 0 || kind_of(i) != Kept::held) continue;
      if (!blocks[i].held_alone() && now - blocks[i].stored < limits.retain) continue;
      held_bytes += blocks[i].body_bytes;
      if (held_bytes > limits.hold_max) go(i, Kept::held, Why::hold_max);
    }
  }
  for (const Kept kind : {Kept::delivered, Kept::held, Kept::undelivered}) {
    if (wanted <= limit + freed) break;
    std::uint64_t ahead = std::min((use.need + use.held_need) * kEvictAhead, limit / 32);
    if (kind == Kept::undelivered) {
      plan.shed = use.held_need > 0;
      if (plan.shed) wanted -= use.held_need;
      if (wanted <= limit + freed) break;
      plan.rejected_bytes = std::min(use.rejected_bytes, (wanted - limit - freed + limit / 32) * kPage);
      freed += plan.rejected_bytes / kPage;
      if (wanted <= limit + freed || !limits.drop_undelivered) break;
      ahead = 0;
    }
    for (std::size_t i = 0; i < candidates && wanted + ahead > limit + freed; ++i) {
      if (stays[i] == 0 && kind_of(i) == kind) go(i, kind, Why::room);
    }
  }
  const auto newest = std::ranges::find_if_not(blocks.rbegin(), blocks.rend(), &StoredBlock::held_alone);
  const bool waits = !limits.drop_undelivered && newest != blocks.rend() && newest->id >= use.delivered_below;
  plan.refused = wanted > limit + freed && use.need > 0 && (waits || limits.room.bound == Bound::disk);
  std::ranges::sort(plan.evictions, {}, &Eviction::index);
  return plan;
}

}  // namespace weir::spool
