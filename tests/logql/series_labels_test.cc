#include "logql/series_labels.h"

#include <gtest/gtest.h>

namespace weir::logql {
namespace {

using record::Label;
using record::LabelSet;
using record::LabelSetRef;

LabelSetRef set(std::vector<Label> labels) { return LabelSet::intern(labels); }

TEST(SeriesLabels, AreOrderedLabelByLabel) {
  EXPECT_TRUE(labels_before(*set({}), *set({{"a", "1"}})));
  EXPECT_TRUE(labels_before(*set({{"a", "1"}}), *set({{"a", "2"}})));
  EXPECT_TRUE(labels_before(*set({{"a", "1"}}), *set({{"a", "1"}, {"b", "0"}})));
  EXPECT_TRUE(labels_before(*set({{"a", "9"}}), *set({{"b", "0"}})));
  EXPECT_FALSE(labels_before(*set({{"a", "1"}}), *set({{"a", "1"}})));
}

TEST(SeriesLabels, Reduces) {
  const LabelSetRef labels = set({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  std::vector<Label> kept, left;
  reduce_labels(*labels, {"c", "a", "x"}, true, kept);
  reduce_labels(*labels, {"c", "a", "x"}, false, left);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].name, "a");
  EXPECT_EQ(kept[1].name, "c");
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].name, "b");
}

TEST(SeriesLabels, MapsEachSetOnce) {
  LabelMap map;
  int made = 0;
  const auto make = [&](const LabelSet&, std::vector<Label>& out) {
    ++made;
    out.push_back({"x", "y"});
  };
  const LabelSetRef labels = set({{"a", "1"}});
  EXPECT_EQ(map.of(labels, make)->get("x"), "y");
  EXPECT_EQ(map.of(labels, make)->get("x"), "y");
  EXPECT_EQ(made, 1);
}

}  // namespace
}  // namespace weir::logql
