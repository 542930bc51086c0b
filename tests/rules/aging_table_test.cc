#include "rules/aging_table.h"

#include <gtest/gtest.h>

#include <list>
#include <random>

namespace weir::rules {
namespace {

base::Hash128 key(std::uint64_t number) { return base::stable_hash(number, {}); }

TEST(AgingTable, FindsWhatWasAdded) {
  AgingTable table(10);
  EXPECT_EQ(table.find(key(1)), nullptr);
  table.add(key(1), 17, 100, 0);
  ASSERT_NE(table.find(key(1)), nullptr);
  EXPECT_EQ(*table.find(key(1)), 17);
  ++*table.find(key(1));
  EXPECT_EQ(*table.find(key(1)), 18);
  EXPECT_EQ(table.find(key(2)), nullptr);
}

TEST(AgingTable, ForgetsWhatWasUsedLongestAgo) {
  AgingTable table(3);
  for (int i = 1; i <= 3; ++i) table.add(key(static_cast<std::uint64_t>(i)), i, 100, 0);
  ASSERT_NE(table.find(key(1)), nullptr);  // used
  table.add(key(4), 4, 100, 0);
  EXPECT_EQ(table.find(key(2)), nullptr);
  EXPECT_NE(table.find(key(1)), nullptr);
  EXPECT_NE(table.find(key(3)), nullptr);
  EXPECT_NE(table.find(key(4)), nullptr);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table.forgotten(), 1U);
}

TEST(AgingTable, WhatIsOverIsNotMissed) {
  AgingTable table(1);
  table.add(key(1), 1, 100, 0);
  table.add(key(2), 2, 200, 100);
  EXPECT_EQ(table.forgotten(), 0U);
  table.add(key(3), 3, 300, 199);
  EXPECT_EQ(table.forgotten(), 1U);
}

TEST(AgingTable, ASmallerBoundKeepsTheNewest) {
  AgingTable table(10);
  for (int i = 0; i < 10; ++i) table.add(key(static_cast<std::uint64_t>(i)), i, 100, 0);
  table.bound(4);
  EXPECT_EQ(table.size(), 4U);
  EXPECT_EQ(table.forgotten(), 6U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(table.find(key(static_cast<std::uint64_t>(i))) != nullptr, i >= 6) << i;
  table.add(key(20), 1, 100, 0);
  EXPECT_EQ(table.size(), 4U);
}

TEST(AgingTable, AGreaterBoundKeepsAll) {
  AgingTable table(2);
  table.add(key(1), 1, 100, 0);
  table.add(key(2), 2, 100, 0);
  table.bound(3);
  table.add(key(3), 3, 100, 0);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_NE(table.find(key(1)), nullptr);
}

TEST(AgingTable, ItsBytesAreBounded) {
  EXPECT_EQ(AgingTable::entries_in(0), 0U);
  EXPECT_GE(AgingTable::entries_in(8 << 20), 65'536U);
}

// Against a list in order of use.
TEST(AgingTable, IsAListInOrderOfUse) {
  std::mt19937 random(5);
  for (const std::size_t capacity : {1U, 2U, 7U, 100U, 300U}) {
    AgingTable table(capacity);
    std::list<std::pair<std::uint64_t, std::int64_t>> model;  // newest first
    for (int step = 0; step < 20'000; ++step) {
      const std::uint64_t number = random() % (capacity * 2);
      const auto in_model = std::find_if(model.begin(), model.end(), [&](const auto& one) { return one.first == number; });
      std::int64_t* found = table.find(key(number));
      ASSERT_EQ(found != nullptr, in_model != model.end()) << capacity << " " << step;
      if (found != nullptr) {
        ASSERT_EQ(*found, in_model->second);
        in_model->second = *found = step;
        model.splice(model.begin(), model, in_model);
        continue;
      }
      table.add(key(number), step, 100, 0);
      model.emplace_front(number, step);
      if (model.size() > capacity) model.pop_back();
    }
    EXPECT_EQ(table.size(), model.size());
  }
}

}  // namespace
}  // namespace weir::rules
