#include "spool/place.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace weir::spool {
namespace {

TEST(PlaceSet, InOrderLeavesNoStretches) {
  PlaceSet set;
  set.add({1, 0}, {1, 10});
  set.add({1, 10}, {2, 0});
  set.add({2, 0}, {2, 5});
  EXPECT_EQ(set.before(), (BlockPlace{2, 5}));
  EXPECT_TRUE(set.stretches().empty());
}

TEST(PlaceSet, StretchesMeet) {
  PlaceSet set;
  set.add({1, 5}, {1, 6});
  set.add({1, 7}, {1, 9});
  EXPECT_EQ(set.stretches().size(), 2U);
  set.add({1, 6}, {1, 7});
  EXPECT_EQ(set.stretches().size(), 1U);
  EXPECT_FALSE(set.contains({1, 4}));
  EXPECT_TRUE(set.contains({1, 8}));
  EXPECT_FALSE(set.contains({1, 9}));
  set.add({1, 0}, {1, 5});
  EXPECT_EQ(set.before(), (BlockPlace{1, 9}));
}

TEST(PlaceSet, AStretchOverSeveralBlocks) {
  PlaceSet set;
  set.add({3, 4}, {900'000, 2});
  EXPECT_TRUE(set.contains({5, 77}));
  EXPECT_TRUE(set.contains({3, 4}, {900'000, 2}));
  EXPECT_FALSE(set.contains({3, 4}, {900'000, 3}));
  set.add_before({3, 4});
  EXPECT_EQ(set.before(), (BlockPlace{900'000, 2}));
}

TEST(PlaceSet, RandomOrderAgreesWithASetOfPlaces) {
  for (unsigned seed = 1; seed < 40; ++seed) {
    std::mt19937 random(seed);
    PlaceSet set;
    std::set<BlockPlace> model;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t block = 1 + random() % 4;
      const std::uint32_t first = random() % 20;
      const std::uint32_t last = first + random() % 5;
      set.add({block, first}, {block, last + 1});
      for (std::uint32_t o = first; o <= last; ++o) model.insert({block, o});
      const auto back = PlaceSet::decode(set.before(), set.encode_stretches());
      ASSERT_TRUE(back);
      ASSERT_EQ(*back, set);
    }
    for (std::uint64_t block = 1; block <= 4; ++block) {
      for (std::uint32_t o = 0; o < 26; ++o) EXPECT_EQ(set.contains({block, o}), model.contains({block, o})) << block << "." << o;
    }
  }
}

record::Record of(const record::LabelSetRef& labels, std::string_view tenant = "") {
  record::Record record;
  record.labels = labels.get();
  record.tenant = tenant;
  return record;
}

TEST(PlaceSet, AStreamThatWaitsIsExcepted) {
  const auto hot = record::LabelSet::intern({{"app", "hot"}});
  const auto other = record::LabelSet::intern({{"app", "other"}});
  const std::uint64_t stream = stream_key(*hot, "t");
  PlaceSet set;
  set.add({1, 0}, {9, 0});
  set.wait(stream, {2, 5});
  EXPECT_EQ(set.before(), (BlockPlace{2, 5}));
  EXPECT_EQ(set.end(), (BlockPlace{9, 0}));
  EXPECT_TRUE(set.has({2, 4}, of(hot, "t")));
  EXPECT_FALSE(set.has({2, 5}, of(hot, "t")));
  EXPECT_FALSE(set.has({8, 0}, of(hot, "t")));
  EXPECT_TRUE(set.has({8, 0}, of(hot)));  // of another tenant
  EXPECT_TRUE(set.has({8, 0}, of(other, "t")));
  EXPECT_FALSE(set.has({9, 0}, of(other, "t")));
  EXPECT_TRUE(set.contains({2, 4}));
  EXPECT_FALSE(set.contains({8, 0}));
  EXPECT_TRUE(set.contains({2, 0}, {2, 5}));
  EXPECT_FALSE(set.contains({2, 0}, {2, 6}));
  EXPECT_TRUE(set.touches({8, 0}, {8, 9}));
  EXPECT_FALSE(set.touches({9, 0}, {9, 9}));

  set.wait(stream, {1, 0});  // never back
  EXPECT_EQ(set.before(), (BlockPlace{2, 5}));
  set.wait(stream, {4, 0});
  EXPECT_EQ(set.before(), (BlockPlace{4, 0}));
  set.wait_also(stream, {4, 7});
  EXPECT_EQ(set.before(), (BlockPlace{4, 0}));
  set.wait_also(stream, {3, 7});
  EXPECT_EQ(set.before(), (BlockPlace{3, 7}));
  set.add_before({5, 0});  // what was evicted is not waited for
  EXPECT_EQ(set.before(), (BlockPlace{5, 0}));
  set.stop_waiting(stream);
  EXPECT_EQ(set.before(), (BlockPlace{9, 0}));
  EXPECT_FALSE(set.waits(stream));
}

TEST(PlaceSet, WaitingStreamsComeBackFromTheirPackedForm) {
  for (unsigned seed = 1; seed < 40; ++seed) {
    std::mt19937 random(seed);
    PlaceSet set;
    for (int i = 0; i < 30; ++i) {
      const BlockPlace from{1 + random() % 50, static_cast<std::uint32_t>(random() % 20)};
      if (random() % 3 == 0) {
        set.wait(random() % 8, from);
      } else {
        set.add(from, {from.block + random() % 2, from.ordinal + 5});
      }
      const auto back = PlaceSet::decode(set.before(), set.encode_stretches());
      ASSERT_TRUE(back) << seed;
      ASSERT_EQ(*back, set) << seed;
    }
  }
}

TEST(PlaceSet, ManyAtOnceAreTheSameAsOneByOne) {
  for (unsigned seed = 1; seed < 200; ++seed) {
    std::mt19937 random(seed);
    PlaceSet one, other;
    for (int round = 0; round < 8; ++round) {
      std::vector<PlaceSet::Stretch> more;
      BlockPlace at{1, static_cast<std::uint32_t>(random() % 5)};
      for (unsigned i = random() % 30; i > 0; --i) {
        const BlockPlace to{at.block, at.ordinal + static_cast<std::uint32_t>(1 + random() % 3)};
        more.push_back({at, to});
        at = random() % 12 == 0 ? BlockPlace{to.block + 1, static_cast<std::uint32_t>(random() % 2)}
                                : BlockPlace{to.block, to.ordinal + 1 + static_cast<std::uint32_t>(random() % 3)};
      }
      for (const auto& stretch : more) one.add(stretch.from, stretch.to);
      other.add_sorted(more);
      ASSERT_EQ(one, other) << seed;
    }
  }
}

TEST(PlaceSet, DamagedStretchesAreAnError) {
  PlaceSet set;
  set.wait(3, {2, 2});
  set.add({1, 0}, {4, 0});
  std::string packed = set.encode_stretches();
  for (std::size_t cut = 1; cut < packed.size(); ++cut) EXPECT_FALSE(PlaceSet::decode({2, 2}, packed.substr(0, cut))) << cut;
  set = PlaceSet();
  set.add({7, 3}, {7, 9});
  packed = set.encode_stretches();
  EXPECT_FALSE(PlaceSet::decode({1, 0}, packed.substr(0, packed.size() - 1)));
  EXPECT_FALSE(PlaceSet::decode({1, 0}, "\x09" + packed.substr(1)));
}

}  // namespace
}  // namespace weir::spool
