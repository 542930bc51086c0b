#include "base/stable_hash.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>
#include <utility>

namespace weir::base {
namespace {

std::pair<std::uint64_t, std::uint64_t> halves(const Hash128& hash) { return {hash.low, hash.high}; }

// Samples of rules and what other processes remember go by these numbers: they may never change.
TEST(StableHash, IsTheSameForEver) {
  EXPECT_EQ(halves(stable_hash("")), std::pair(std::uint64_t{0x6313cbf28747f428}, std::uint64_t{0x62531eae136ec132}));
  EXPECT_EQ(halves(stable_hash("GET /healthz")), std::pair(std::uint64_t{0x18102cc7e2bffad5}, std::uint64_t{0x0c241fb8d3454a06}));
  EXPECT_EQ(halves(stable_hash("a line of a log that is longer than one step of the hash")),
            std::pair(std::uint64_t{0x44d80135df48113f}, std::uint64_t{0x83a7a2412fc69573}));
  EXPECT_EQ(halves(stable_hash(std::uint64_t{7}, {1, 2})),
            std::pair(std::uint64_t{0xbec2e84d43f94b30}, std::uint64_t{0xcf1211ce8e12f6e4}));
}

TEST(StableHash, TellsTextsApart) {
  std::set<std::uint64_t> low, high;
  std::size_t texts = 0;
  const auto add = [&](const Hash128& hash) {
    low.insert(hash.low);
    high.insert(hash.high);
    ++texts;
  };
  for (std::size_t size = 0; size <= 70; ++size) {
    add(stable_hash(std::string(size, '\0')));
    add(stable_hash(std::string(size, 'x')));
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, '\0');
      text[at] = '\1';
      add(stable_hash(text));
    }
  }
  add(stable_hash("c", stable_hash("ab")));
  add(stable_hash("bc", stable_hash("a")));
  add(stable_hash("abc"));
  add(stable_hash("", stable_hash("abc")));
  for (std::uint64_t number = 0; number < 1000; ++number) add(stable_hash(number, {}));
  EXPECT_EQ(low.size(), texts - 1);  // the text without a byte is there twice
  EXPECT_EQ(high.size(), texts - 1);
}

// A sample of 10 % is 10 % only if the bits are even.
TEST(StableHash, EachBitIsSetInHalfOfAllTexts) {
  constexpr int kTexts = 20'000;
  int set[128] = {};
  for (int i = 0; i < kTexts; ++i) {
    const Hash128 hash = stable_hash("line " + std::to_string(i));
    for (int bit = 0; bit < 64; ++bit) {
      set[bit] += static_cast<int>(hash.low >> bit & 1);
      set[64 + bit] += static_cast<int>(hash.high >> bit & 1);
    }
  }
  for (const int count : set) EXPECT_NEAR(count, kTexts / 2, 400);  // more than five deviations
}

TEST(StableHash, EachBitOfATextChangesHalfOfTheHash) {
  const std::string text = "2024-05-01 GET /api/v1/orders?page=3 200";
  const Hash128 before = stable_hash(text);
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string changed = text;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const Hash128 after = stable_hash(changed);
    const int differ = std::popcount(before.low ^ after.low) + std::popcount(before.high ^ after.high);
    EXPECT_GT(differ, 32) << bit;
    EXPECT_LT(differ, 96) << bit;
  }
}

}  // namespace
}  // namespace weir::base
