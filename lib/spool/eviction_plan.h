// What leaves a spool, in which order, and why: decisions of the writer as pure functions, without file, clock or system.
//
// A block is one of three things (Kept). Undelivered: some consumer has not acknowledged everything before its end. Held: it is
// delivered but for records that are held, and these are younger than `hold`. Delivered: everything else; with no consumer
// registered all blocks are, and the spool is a ring.
//
// Blocks go in this order, the oldest of each kind first, and no more of them than is asked for:
//   1. age       delivered blocks that are `retain` old; at most kExpirePerCommit a plan, so that a commit stays short
//   2. hold_max  blocks kept for held records alone, from the newest that does not fit into hold_max any more
//   3. room      delivered, then held blocks, until what is needed fits; a little more goes with them, so that the next commits
//                find room without touching old pages
//   4. room      of the rejected store what is missing and a little more: what nobody will take goes before what waits for delivery
//   5. room      undelivered blocks, if the user allows it (--on-full drop-oldest): exactly what is missing
//
// Invariants: the newest block stays, since it keeps numbers going up across restarts. Undelivered blocks go by room alone, never
// by age. A plan that frees too little is refused as a whole where waiting helps (undelivered blocks hold the room) or where the
// disk has no more; else the block is stored all the same, because refusing a block that is larger than the limit would not make it
// smaller.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace weir::spool {

inline constexpr std::uint64_t kPage = 4096;         // bytes
inline constexpr std::size_t kExpirePerCommit = 16;  // blocks
inline constexpr std::uint64_t kEvictAhead = 8;      // blocks of the size of the new one: one commit in so many changes old pages

struct StoredBlock {
  std::uint64_t id = 0;
  base::Timestamp stored = 0;  // by today's clock
  std::uint64_t body_bytes = 0;
  std::uint32_t records = 0, held = 0;
};

// Why a block is still there.
enum class Kept : std::uint8_t { delivered, held, undelivered };

// What keeps the pages in use from being more.
enum class Bound : std::uint8_t {
  size,      // --max-size
  min_free,  // --min-free: the file system is fuller than that
  disk,      // nothing of the disk may be taken at all
};

struct Room {
  std::uint64_t bytes = 0;  // that pages in use may take
  Bound bound = Bound::size;
};

struct RoomFacts {
  std::uint64_t max_size = 0;  // of the file with its write-ahead log
  std::uint64_t max_log = 0;
  std::uint64_t pages = 0;             // of the file, in use or not
  bool grow = true;                    // false: neither file nor log may take more of the disk
  int min_free = 0;                    // percent of the file system; below it the file does not grow beyond `floor`
  std::uint64_t floor = 0;             // bytes
  std::optional<double> free_percent;  // of the file system, where that is known
};
[[nodiscard]] Room allowed_room(const RoomFacts& facts);

struct EvictionLimits {
  base::Duration retain = 0;   // delivered blocks
  base::Duration hold = 0;     // held records
  std::uint64_t hold_max = 0;  // bytes of blocks that are kept only for held records; 0: no bound of its own
  bool drop_undelivered = false;
  Room room;
};

struct SpoolUse {
  std::uint64_t used = 0,
                need = 0;  // pages: of the file, and of what is to be stored; need 0: what is stored finds room in any case
  std::uint64_t delivered_below = ~0ULL;  // blocks with a lower number are acknowledged by every consumer
  std::uint64_t rejected_bytes = 0;       // that the rejected store holds
};

struct Eviction {
  enum class Why : std::uint8_t { age, hold_max, room };
  std::size_t index = 0;  // of the block
  Kept kept = Kept::delivered;
  Why why = Why::age;
  friend bool operator==(const Eviction&, const Eviction&) = default;
};

struct EvictionPlan {
  std::vector<Eviction> evictions;   // by index
  std::uint64_t rejected_bytes = 0;  // of the rejected store, that go
  bool tight = false;                // little is left of what the room allows
  bool refused = false;              // it frees too little: nothing is to be stored, and nothing to be evicted for it
};

// `blocks`: with records, the oldest first.
[[nodiscard]] EvictionPlan plan_evictions(const std::deque<StoredBlock>& blocks, const EvictionLimits& limits, const SpoolUse& use,
                                          base::Timestamp now);

[[nodiscard]] Kept kept(const StoredBlock& block, std::uint64_t delivered_below, base::Duration hold, base::Timestamp now);

// That a body of so many bytes takes.
[[nodiscard]] std::uint64_t pages_of(std::uint64_t body_bytes);

}  // namespace weir::spool
