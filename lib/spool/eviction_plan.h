// Which blocks are evicted, in which order, and why: decisions of the writer as pure functions, without file, clock or system.
//
// A block is one of three things (Kept). Held: all its records are held, wherever the consumers are, because nobody waits for it;
// or it was stored by a release that put held records among others, all its records are delivered except held ones, and these are
// younger than `hold`. Undelivered: some consumer has not acknowledged everything before its end. Delivered: all other blocks. A
// consumer to which this process passes blocks on may not be registered yet, or never: then the blocks count as undelivered that
// were not passed on. With no consumer registered the spool is a ring of recent records: of all of them, or, where they are passed
// on, of those that were.
//
// Blocks are evicted in this order, the oldest of each kind first, and no more than necessary:
//   1. age       delivered blocks that are `retain` old, and blocks of held records alone that are `hold` old; at most
//                kExpirePerCommit a plan, so that a commit stays short
//   2. hold_max  held blocks, as far as they exceed hold_max together with the new one
//   3. room      delivered, then held blocks, until the new blocks fit, and a few more, so that the next commits find room without
//                changing old pages. If that is not enough, the new block of held records is not stored (shed)
//   4. room      rejected records, which nobody will deliver: as many bytes as are missing and a few more
//   5. room      undelivered blocks, only with --on-full drop-oldest, and only as many as are missing
//
// Invariants: the newest block stays, because it keeps block numbers rising across restarts. A pinned block stays. Undelivered
// blocks are evicted only to make room, never for their age, and never for held records. A plan that frees too little is refused as
// a whole when undelivered blocks take the room, so that waiting helps, or when the disk is full. Otherwise the block is stored
// although it exceeds the limit: waiting would not make it smaller.
#pragma once

#include "base/clock.h"
#include "spool/disk_space.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
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
  [[nodiscard]] bool held_alone() const { return records > 0 && held == records; }
};

// Why a block is still there.
enum class Kept : std::uint8_t { delivered, held, undelivered };

// Which limit bounds the pages in use.
enum class Bound : std::uint8_t {
  size,      // --max-size
  min_free,  // --min-free: less than that is free in the file system
  disk,      // the disk is full: neither file nor log may grow
};

struct Room {
  std::uint64_t bytes = 0;  // the most that pages in use may take
  Bound bound = Bound::size;
};

struct RoomFacts {
  std::uint64_t max_size = 0;  // of the file with its write-ahead log
  std::uint64_t max_log = 0;
  std::uint64_t pages = 0;        // of the file, in use or not
  bool grow = true;               // false: neither file nor log may grow
  int min_free = 0;               // percent of the file system; below it the file does not grow beyond `floor`
  std::uint64_t floor = 0;        // bytes
  std::optional<DiskSpace> disk;  // nullopt when unknown
};
[[nodiscard]] Room allowed_room(const RoomFacts& facts);
// Bytes: the most that pages in use can take before the disk is full or has less than min_free. Not more than allowed_room().
[[nodiscard]] std::uint64_t reachable_room(const RoomFacts& facts);

// Who waits for blocks.
struct Awaited {
  std::optional<std::uint64_t> lowest_consumer = {};  // where the registered consumers are; nullopt: none is registered
  // The first block that this process has not passed on, while the consumer that it passes them on to is not registered.
  std::optional<std::uint64_t> next_to_pass = {};
};
// Blocks with a lower number are delivered.
[[nodiscard]] std::uint64_t delivered_below(const Awaited& by);

// How long delivered blocks are kept by a writer that opened the spool `open_for` ago. The stage behind registers its consumer when
// it has read the beginning of the stream. What lies in the pipe at that moment was passed on, and that stage may still want to
// read it again from the spool. So no block goes for its age until the stage had time to register; there the room decides alone.
inline constexpr base::Duration kTimeToRegister = base::kMinute;
[[nodiscard]] base::Duration retain_for(const Awaited& by, base::Duration retain, base::Duration open_for);

struct EvictionLimits {
  base::Duration retain = 0;   // delivered blocks
  base::Duration hold = 0;     // held records
  std::uint64_t hold_max = 0;  // bytes of held blocks; 0: no bound of its own
  bool drop_undelivered = false;
  Room room;
};

struct SpoolUse {
  std::uint64_t used = 0;                 // pages of the file that are in use
  std::uint64_t need = 0;                 // pages of the block to be stored; 0: nothing is stored that needs room
  std::uint64_t held_need = 0;            // pages of the block of held records to be stored with it, or shed; 0: none
  std::uint64_t delivered_below = ~0ULL;  // blocks with a lower number are acknowledged by every consumer
  std::uint64_t rejected_bytes = 0;       // of whole records in the rejected store
  std::set<std::uint64_t> pinned = {};    // blocks that are not evicted, because a pending release still has to read them
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
  std::uint64_t rejected_bytes = 0;  // to evict from the rejected store
  bool tight = false;                // little room is left
  bool shed = false;                 // the new block of held records has no room: store the rest without it
  bool refused = false;              // the plan frees too little: store nothing, and evict nothing to make room
};

// `blocks`: with records, the oldest first.
[[nodiscard]] EvictionPlan plan_evictions(const std::deque<StoredBlock>& blocks, const EvictionLimits& limits, const SpoolUse& use,
                                          base::Timestamp now);

[[nodiscard]] Kept kept(const StoredBlock& block, std::uint64_t delivered_below, base::Duration hold, base::Timestamp now);

// The number of pages that a body of `body_bytes` takes.
[[nodiscard]] std::uint64_t pages_of(std::uint64_t body_bytes);

}  // namespace weir::spool
