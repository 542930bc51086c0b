#include "record/label_set.h"

#include <gtest/gtest.h>

#include <thread>

namespace weir::record {
namespace {

TEST(LabelSet, EqualSetsAreOnePointer) {
  const LabelSetRef a = LabelSet::intern({{"b", "2"}, {"a", "1"}});
  const LabelSetRef b = LabelSet::intern({{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(a.get(), b.get());
  EXPECT_NE(a.get(), LabelSet::intern({{"a", "1"}}).get());
  EXPECT_NE(LabelSet::intern({{"a", "bc"}}).get(), LabelSet::intern({{"ab", "c"}}).get());
}

TEST(LabelSet, SortedUniqueWithoutEmptyValues) {
  const LabelSetRef set = LabelSet::intern({{"b", "1"}, {"a", "\"x\""}, {"b", "2"}, {"c", "3"}, {"c", ""}, {"d", ""}});
  EXPECT_EQ(set->json(), R"({"a":"\"x\"","b":"2"})");
  EXPECT_EQ(set->get("b"), "2");
  EXPECT_EQ(set->get("zz"), "");
  EXPECT_EQ(LabelSet::empty()->json(), "{}");
  EXPECT_EQ(LabelSet::intern({{"x", ""}}).get(), LabelSet::empty().get());
}

TEST(LabelSet, GoesWithItsLastReference) {
  const std::size_t before = LabelSet::live();
  {
    const LabelSetRef one = LabelSet::intern({{"k", "goes"}});
    LabelSetRef two = one;
    LabelSetRef three = std::move(two);
    EXPECT_EQ(LabelSet::live(), before + 1);
  }
  EXPECT_EQ(LabelSet::live(), before);
}

TEST(LabelSet, ManyThreadsInternAndReleaseTheSameSets) {
  const std::size_t before = LabelSet::live();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 5000; ++i) {
        const std::string value = std::to_string(i % 3);
        const LabelSetRef set = LabelSet::intern({{"k", value}});
        const LabelSetRef copy = set;
        ASSERT_EQ(copy->get("k"), value);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(LabelSet::live(), before);
}

}  // namespace
}  // namespace weir::record
