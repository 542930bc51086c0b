// What goes, in which order, and why: tables without a file.
#include "spool/eviction_plan.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::spool {
namespace {

constexpr base::Timestamp kNow = 1'000 * base::kHour;
constexpr std::uint64_t kAll = ~0ULL;

// A letter a block, the oldest first, an hour apart, the last one of this moment: `d` has no held records, `h` has some, `H` has no
// others. Each takes ten pages.
std::deque<StoredBlock> blocks_of(std::string_view letters) {
  std::deque<StoredBlock> blocks;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const auto age = static_cast<base::Duration>(letters.size() - 1 - i) * base::kHour;
    blocks.push_back({i + 1, kNow - age, 9 * kPage, 100, letters[i] == 'H' ? 100U : letters[i] == 'h' ? 10U : 0U});
  }
  return blocks;
}

// Each eviction: the block's number, its kind, why. And what goes of the rejected store, in pages.
std::string text_of(const EvictionPlan& plan) {
  std::string text;
  for (const Eviction& one : plan.evictions) {
    constexpr const char* kKinds[] = {"delivered", "held", "undelivered"};
    constexpr const char* kReasons[] = {"age", "hold_max", "room"};
    text += (text.empty() ? "" : ", ") + std::to_string(one.index + 1) + " " + kKinds[static_cast<int>(one.kept)] + " " +
            kReasons[static_cast<int>(one.why)];
  }
  if (plan.rejected_bytes > 0) text += (text.empty() ? "" : ", ") + std::to_string(plan.rejected_bytes / kPage) + " pages rejected";
  if (plan.shed) text += (text.empty() ? "" : ", ") + std::string("shed");
  if (plan.refused) text += (text.empty() ? "" : ", ") + std::string("refused");
  return text;
}

struct Case {
  const char* name;
  std::string_view blocks;
  std::uint64_t delivered_below = kAll;                          // no consumer: all of it
  std::uint64_t used = 0, need = 0, limit = 1000, rejected = 0;  // pages
  base::Duration retain = 100 * base::kHour, hold = 100 * base::kHour;
  std::uint64_t hold_max = 0;  // blocks
  bool drop = false;
  Bound bound = Bound::size;
  std::uint64_t held_need = 0;  // pages
  std::uint64_t pinned = 0;     // block
  const char* expected = "";
};

class EvictionPlanTest : public testing::TestWithParam<Case> {};

TEST_P(EvictionPlanTest, Says) {
  const Case& c = GetParam();
  const EvictionLimits limits{.retain = c.retain,
                              .hold = c.hold,
                              .hold_max = c.hold_max * 9 * kPage,
                              .drop_undelivered = c.drop,
                              .room = {c.limit * kPage, c.bound}};
  SpoolUse use{.used = c.used,
               .need = c.need,
               .held_need = c.held_need,
               .delivered_below = c.delivered_below,
               .rejected_bytes = c.rejected * kPage};
  if (c.pinned != 0) use.pinned = {c.pinned};
  EXPECT_EQ(text_of(plan_evictions(blocks_of(c.blocks), limits, use, kNow)), c.expected);
}

constexpr base::Duration kHour = base::kHour;
constexpr Case kCases[] = {
    {.name = "nothing_stored", .blocks = "", .need = 10, .expected = ""},
    {.name = "young_and_room", .blocks = "dddd", .used = 40, .need = 10, .expected = ""},
    // Age.
    {.name = "age", .blocks = "ddddd", .retain = 3 * kHour, .expected = "1 delivered age, 2 delivered age"},
    {.name = "age_leaves_the_newest", .blocks = "ddd", .retain = 0, .expected = "1 delivered age, 2 delivered age"},
    {.name = "age_leaves_the_only_one", .blocks = "d", .retain = 0, .expected = ""},
    {.name = "age_leaves_undelivered", .blocks = "ddddd", .delivered_below = 2, .retain = 0, .expected = "1 delivered age"},
    {.name = "age_leaves_held", .blocks = "hdddd", .retain = 3 * kHour, .expected = "2 delivered age"},
    {.name = "held_for_long_is_delivered",
     .blocks = "hdddd",
     .retain = 3 * kHour,
     .hold = 2 * kHour,
     .expected = "1 delivered age, 2 delivered age"},
    // A bound for what is kept for held records alone: the newest stay.
    {.name = "hold_max", .blocks = "hhhhd", .retain = 0, .hold_max = 2, .expected = "1 held hold_max, 2 held hold_max"},
    {.name = "hold_max_counts_what_is_over_retain",
     .blocks = "hhhhd",
     .retain = 3 * kHour,
     .hold_max = 1,
     .expected = "1 held hold_max"},
    // Room: delivered ones, then held ones, the oldest of each first.
    {.name = "room_and_some_ahead",
     .blocks = "hddddd",
     .used = 995,
     .need = 10,
     .expected = "2 delivered room, 3 delivered room, 4 delivered room, 5 delivered room"},
    {.name = "room_of_held", .blocks = "hhd", .used = 1000, .need = 5, .expected = "1 held room, 2 held room"},
    {.name = "age_makes_room_first",
     .blocks = "ddddd",
     .used = 1000,
     .need = 10,
     .retain = 4 * kHour,
     .expected = "1 delivered age"},
    {.name = "a_block_over_the_limit_is_taken", .blocks = "d", .used = 10, .need = 2000, .expected = ""},
    // Undelivered ones: only if they may, and no more than is needed.
    {.name = "waits_for_delivery", .blocks = "ddd", .delivered_below = 1, .used = 1000, .need = 10, .expected = "refused"},
    {.name = "waits_though_some_may_go",
     .blocks = "ddd",
     .delivered_below = 2,
     .used = 1000,
     .need = 15,
     .expected = "1 delivered room, refused"},
    {.name = "drop_oldest",
     .blocks = "dddd",
     .delivered_below = 1,
     .used = 1000,
     .need = 10,
     .drop = true,
     .expected = "1 undelivered room"},
    {.name = "drop_oldest_for_more",
     .blocks = "dddd",
     .delivered_below = 1,
     .used = 1000,
     .need = 11,
     .drop = true,
     .expected = "1 undelivered room, 2 undelivered room"},
    {.name = "drop_leaves_the_newest",
     .blocks = "dd",
     .delivered_below = 1,
     .used = 1000,
     .need = 50,
     .drop = true,
     .expected = "1 undelivered room"},
    {.name = "rejected_go_before_undelivered",
     .blocks = "ddd",
     .delivered_below = 1,
     .used = 1000,
     .need = 10,
     .rejected = 500,
     .drop = true,
     .expected = "41 pages rejected"},
    {.name = "few_rejected_are_not_enough",
     .blocks = "ddd",
     .delivered_below = 1,
     .used = 1000,
     .need = 10,
     .rejected = 2,
     .drop = true,
     .expected = "1 undelivered room, 2 pages rejected"},
    // Blocks of held records alone: nobody waits for them, wherever the consumers are.
    {.name = "held_alone_has_an_age_of_its_own",
     .blocks = "HdHdd",
     .retain = 100 * kHour,
     .hold = 2 * kHour,
     .expected = "1 held age, 3 held age"},
    {.name = "held_alone_is_not_kept_for_retain", .blocks = "HHd", .retain = 0, .hold = 2 * kHour, .expected = "1 held age"},
    {.name = "held_alone_goes_by_age_in_an_outage",
     .blocks = "dHdHd",
     .delivered_below = 1,
     .hold = kHour,
     .expected = "2 held age, 4 held age"},
    {.name = "held_alone_is_bounded_in_an_outage",
     .blocks = "HdHdHd",
     .delivered_below = 1,
     .hold_max = 1,
     .expected = "1 held hold_max, 3 held hold_max"},
    {.name = "a_new_one_counts_for_hold_max",
     .blocks = "HHHd",
     .used = 40,
     .hold_max = 2,
     .held_need = 9,
     .expected = "1 held hold_max, 2 held hold_max"},
    {.name = "held_alone_makes_room_for_undelivered",
     .blocks = "dHHd",
     .delivered_below = 1,
     .used = 1000,
     .need = 15,
     .expected = "2 held room, 3 held room"},
    {.name = "held_alone_makes_room_before_undelivered_are_dropped",
     .blocks = "dHd",
     .delivered_below = 1,
     .used = 1000,
     .need = 10,
     .drop = true,
     .expected = "2 held room"},
    {.name = "old_held_ones_make_room_for_new_ones",
     .blocks = "dHd",
     .delivered_below = 1,
     .used = 995,
     .held_need = 10,
     .expected = "2 held room"},
    {.name = "held_ones_are_shed_where_undelivered_fill_the_spool",
     .blocks = "ddd",
     .delivered_below = 1,
     .used = 985,
     .need = 10,
     .held_need = 10,
     .expected = "shed"},
    {.name = "no_undelivered_block_is_dropped_for_held_ones",
     .blocks = "ddd",
     .delivered_below = 1,
     .used = 985,
     .need = 10,
     .drop = true,
     .held_need = 10,
     .expected = "shed"},
    {.name = "and_no_rejected_record",
     .blocks = "ddd",
     .delivered_below = 1,
     .used = 985,
     .need = 10,
     .rejected = 500,
     .drop = true,
     .held_need = 10,
     .expected = "shed"},
    {.name = "shed_and_refused",
     .blocks = "ddd",
     .delivered_below = 1,
     .used = 1000,
     .need = 10,
     .held_need = 10,
     .expected = "shed, refused"},
    {.name = "the_newest_is_held_and_others_wait",
     .blocks = "ddH",
     .delivered_below = 1,
     .used = 1000,
     .need = 10,
     .expected = "refused"},
    // Pinned ones stay, whatever asks for room.
    {.name = "pinned_stays_over_its_age", .blocks = "HHd", .hold = 0, .pinned = 1, .expected = "2 held age"},
    {.name = "pinned_stays_over_hold_max", .blocks = "HHHd", .hold_max = 1, .pinned = 1, .expected = "2 held hold_max"},
    {.name = "pinned_stays_in_want_of_room",
     .blocks = "HdHd",
     .delivered_below = 1,
     .used = 1000,
     .need = 5,
     .pinned = 1,
     .expected = "3 held room"},
    {.name = "pinned_stays_though_undelivered_are_dropped",
     .blocks = "Hdd",
     .delivered_below = 1,
     .used = 1000,
     .need = 5,
     .drop = true,
     .pinned = 1,
     .expected = "2 undelivered room"},
    // Positions find room in any case.
    {.name = "positions_are_not_refused", .blocks = "ddd", .delivered_below = 1, .used = 1200, .need = 0, .expected = ""},
    {.name = "over_the_limit_without_need", .blocks = "ddd", .used = 1005, .need = 0, .expected = "1 delivered room"},
    // A disk that is full.
    {.name = "disk_full", .blocks = "d", .used = 1000, .need = 10, .bound = Bound::disk, .expected = "refused"},
    {.name = "disk_full_with_some_to_go",
     .blocks = "dd",
     .used = 1000,
     .need = 10,
     .bound = Bound::disk,
     .expected = "1 delivered room"},
};
INSTANTIATE_TEST_SUITE_P(Table, EvictionPlanTest, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(EvictionPlan, ACommitEvictsFewForTheirAge) {
  const EvictionLimits limits{.retain = 0, .room = {1ULL << 40, Bound::size}};
  EXPECT_EQ(plan_evictions(blocks_of(std::string(100, 'd')), limits, {}, kNow).evictions.size(), kExpirePerCommit);
}

TEST(EvictionPlan, IsTightWhenASixteenthIsLeft) {
  const EvictionLimits limits{.retain = kHour, .room = {1600 * kPage, Bound::size}};
  EXPECT_FALSE(plan_evictions({}, limits, {.used = 1500}, kNow).tight);
  EXPECT_TRUE(plan_evictions({}, limits, {.used = 1500, .need = 1}, kNow).tight);
}

TEST(EvictionPlan, ABlockIsHeldWhileItsHeldRecordsAreYoung) {
  const StoredBlock block{5, kNow - kHour, 0, 10, 1};
  EXPECT_EQ(kept(block, 5, 2 * kHour, kNow), Kept::undelivered);
  EXPECT_EQ(kept(block, 6, 2 * kHour, kNow), Kept::held);
  EXPECT_EQ(kept(block, 6, kHour, kNow), Kept::delivered);
  EXPECT_EQ(kept({5, kNow, 0, 10, 0}, 6, kHour, kNow), Kept::delivered);
  EXPECT_EQ(kept({5, kNow, 0, 10, 10}, 5, kHour, kNow), Kept::held) << "nobody waits for it";
}

TEST(DeliveredBelow, IsTheLowestPlaceOfWhoeverWaits) {
  struct {
    const char* name;
    std::optional<std::uint64_t> lowest_consumer, next_to_pass;
    std::uint64_t expected;
  } cases[] = {
      {"a ring of all blocks", {}, {}, kAll}, {"consumers alone", 7, {}, 7},           {"a ring of what was passed on", {}, 4, 4},
      {"nothing was passed on", {}, 0, 0},    {"another consumer is behind", 3, 5, 3}, {"another consumer is ahead", 9, 5, 5},
  };
  for (const auto& c : cases) EXPECT_EQ(delivered_below({c.lowest_consumer, c.next_to_pass}), c.expected) << c.name;
}

// A chain begins: blocks 1 and 2 are passed on, 3 is not, 4 was stored now, and no consumer is registered.
TEST(EvictionPlan, WithoutAConsumerWhatWasNotPassedOnIsUndelivered) {
  struct {
    const char* name;
    const char* blocks;
    std::uint64_t next_to_pass, used, need;
    base::Duration retain;
    bool drop;
    const char* expected;
  } cases[] = {
      {"by age", "dddd", 3, 40, 0, 0, false, "1 delivered age, 2 delivered age"},
      {"by age, nothing was passed on", "dddd", 1, 40, 0, 0, false, ""},
      {"by age, all was passed on", "dddd", 5, 40, 0, 0, false, "1 delivered age, 2 delivered age, 3 delivered age"},
      {"room of those that were passed on", "dddd", 3, 1000, 10, 100 * kHour, false, "1 delivered room, 2 delivered room"},
      {"room, waits for the drain", "dddd", 1, 1000, 10, 100 * kHour, false, "refused"},
      {"room, drops what was not passed on last", "dddd", 2, 1000, 20, 100 * kHour, true, "1 delivered room, 2 undelivered room"},
      {"held blocks are not passed on and nobody waits for them", "HdHd", 2, 1000, 15, 100 * kHour, false,
       "1 held room, 3 held room"},
      {"released beside held, not passed on", "hhdd", 2, 40, 0, 0, false, ""},
      {"a block over the limit is taken when all was passed on", "d", 2, 10, 2000, 0, false, ""},
  };
  for (const auto& c : cases) {
    const EvictionLimits limits{
        .retain = c.retain, .hold = 100 * kHour, .drop_undelivered = c.drop, .room = {1000 * kPage, Bound::size}};
    const SpoolUse use{.used = c.used, .need = c.need, .delivered_below = delivered_below({.next_to_pass = c.next_to_pass})};
    EXPECT_EQ(text_of(plan_evictions(blocks_of(c.blocks), limits, use, kNow)), c.expected) << c.name;
  }
}

TEST(RetainFor, TheStageBehindHasTimeToRegister) {
  const Awaited drain{.next_to_pass = 9}, registered{.lowest_consumer = 1};
  EXPECT_GT(retain_for(drain, 0, 0), 1000 * kHour);
  EXPECT_GT(retain_for(drain, 0, kTimeToRegister - 1), 1000 * kHour);
  EXPECT_EQ(retain_for(drain, 0, kTimeToRegister), 0);
  EXPECT_EQ(retain_for(registered, 5, 0), 5);
  EXPECT_EQ(retain_for({}, 5, 0), 5) << "nobody is behind, as with --store";
}

TEST(AllowedRoom, Says) {
  const std::uint64_t mib = 1 << 20;
  const RoomFacts facts{.max_size = 1024 * mib, .max_log = 32 * mib, .pages = 256 * 100, .min_free = 15, .floor = 16 * mib};
  const auto room = [](RoomFacts f) {
    const Room allowed = allowed_room(f);
    return std::pair(allowed.bytes / mib, allowed.bound);
  };
  auto changed = facts;
  EXPECT_EQ(room(facts), std::pair(std::uint64_t{992}, Bound::size));
  changed.max_size = 16 * mib;  // hardly more than the log
  changed.max_log = 16 * mib;
  EXPECT_EQ(room(changed), std::pair(std::uint64_t{8}, Bound::size));
  changed = facts;
  changed.grow = false;
  EXPECT_EQ(room(changed), std::pair(std::uint64_t{100}, Bound::disk));
  changed = facts;
  changed.disk = DiskSpace{.size = 100 * mib, .free = 15 * mib};
  EXPECT_EQ(room(changed), std::pair(std::uint64_t{992}, Bound::size));
  changed.disk->free -= 1 * mib;
  EXPECT_EQ(room(changed), std::pair(std::uint64_t{100}, Bound::min_free));
  changed.pages = 256;
  EXPECT_EQ(room(changed), std::pair(std::uint64_t{16}, Bound::min_free)) << "the floor";
  changed.min_free = 0;
  EXPECT_EQ(room(changed), std::pair(std::uint64_t{992}, Bound::size));
}

TEST(ReachableRoom, Says) {
  struct Disk {
    const char* what;
    std::uint64_t file, size, free;  // MiB; of the disk: 0: not known
    int min_free;                    // percent
    std::uint64_t room;              // MiB
  };
  const Disk cases[] = {
      {"the disk is not known", 100, 0, 0, 15, 992},
      {"the disk has room for all", 100, 10'000, 5'000, 15, 992},
      {"the disk is full", 2, 3, 0, 0, 2},
      {"the file takes what is left", 100, 1'000, 200, 0, 300},
      {"it leaves what min_free keeps free", 100, 1'000, 200, 15, 150},
      {"less than that is free", 100, 1'000, 140, 15, 100},
      {"the floor", 1, 1'000, 140, 15, 16},
      {"the disk has no room for the floor", 1, 1'000, 5, 15, 6},
  };
  for (const Disk& c : cases) {
    const std::uint64_t mib = 1 << 20;
    RoomFacts facts{.max_size = 1024 * mib, .max_log = 32 * mib, .pages = 256 * c.file, .min_free = c.min_free, .floor = 16 * mib};
    if (c.size > 0) facts.disk = DiskSpace{.size = c.size * mib, .free = c.free * mib};
    EXPECT_NEAR(static_cast<double>(reachable_room(facts)), static_cast<double>(c.room * mib), 100) << c.what;
    EXPECT_LE(reachable_room(facts), allowed_room(facts).bytes) << c.what;
  }
}

}  // namespace
}  // namespace weir::spool
