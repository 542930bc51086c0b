#include "metrics/worst.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::metrics {
namespace {

using base::kMinute;

using All = std::vector<Worst::One>;

std::string ids(const All& rows) {
  std::string text;
  for (const Worst::One& row : rows) text += (text.empty() ? "" : " ") + std::to_string(row.id) + ":" + std::to_string(row.value);
  return text;
}

TEST(Worst, TheWorstStandFirst) {
  Worst worst(2);
  EXPECT_EQ(ids(worst.choose({}, 0)), "");
  EXPECT_EQ(ids(worst.choose(All{{1, 5}}, 0)), "1:5");
  EXPECT_EQ(ids(Worst(2).choose(All{{1, 5}, {2, 9}, {3, 7}}, 0)), "2:9 3:7");
  EXPECT_EQ(ids(Worst(2).choose(All{{3, 5}, {2, 5}, {1, 5}}, 0)), "1:5 2:5");
  EXPECT_EQ(ids(Worst(2).choose(All{{1, 0}, {2, 0}}, 0)), "") << "who is not behind is not among the worst";
}

TEST(Worst, AMemberStaysFifteenMinutes) {
  Worst worst(1);
  EXPECT_EQ(ids(worst.choose(All{{1, 5}, {2, 0}}, 0)), "1:5");
  EXPECT_EQ(ids(worst.choose(All{{1, 0}, {2, 3}}, kMinute)), "2:3 1:0");
  EXPECT_EQ(ids(worst.choose(All{{1, 0}, {2, 3}}, 15 * kMinute)), "2:3 1:0");
  EXPECT_EQ(ids(worst.choose(All{{1, 0}, {2, 3}}, 15 * kMinute + 1)), "2:3");
  EXPECT_EQ(ids(worst.choose(All{{1, 0}, {2, 0}}, 30 * kMinute)), "2:0");
  EXPECT_EQ(ids(worst.choose(All{{1, 0}, {2, 0}}, 31 * kMinute)), "");
}

TEST(Worst, WhoIsGoneHasNoRowAndBeginsAnew) {
  Worst worst(1);
  EXPECT_EQ(ids(worst.choose(All{{1, 5}}, 0)), "1:5");
  EXPECT_EQ(ids(worst.choose(All{{2, 1}}, 1)), "2:1");
  EXPECT_EQ(ids(worst.choose(All{{1, 0}, {2, 1}}, 2)), "2:1");
}

TEST(Worst, IsBoundedAndTheWorstOfNowAreAlwaysIn) {
  Worst worst(2);
  // Another two are the worst every second, of a thousand.
  for (std::uint64_t second = 0; second < 500; ++second) {
    All all;
    for (std::uint64_t id = 0; id < 1000; ++id) all.push_back({id, id / 2 == second ? 9 : id % 3});
    const All rows = worst.choose(all, static_cast<base::Monotonic>(second) * base::kSecond);
    ASSERT_LE(rows.size(), 2 * Worst::kRowsForEach);
    ASSERT_EQ(rows[0].id, 2 * second);
    ASSERT_EQ(rows[1].id, 2 * second + 1);
  }
}

}  // namespace
}  // namespace weir::metrics
