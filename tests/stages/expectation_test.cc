#include "stages/expectation.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using Verdict = Expectation::Verdict;
constexpr std::uint64_t kNoMost = Expectation::Bounds::kNoMost;

struct Case {
  Expectation::Bounds bounds;
  std::uint64_t found;
  Verdict once, twice, at_the_end;
};

TEST(Expectation, Verdicts) {
  for (const Case& c : {
           Case{{3, 3}, 0, Verdict::open, Verdict::open, Verdict::missed},
           Case{{3, 3}, 2, Verdict::open, Verdict::open, Verdict::missed},
           Case{{3, 3}, 3, Verdict::open, Verdict::met, Verdict::met},
           Case{{3, 3}, 4, Verdict::missed, Verdict::missed, Verdict::missed},
           Case{{3, kNoMost}, 2, Verdict::open, Verdict::open, Verdict::missed},
           Case{{3, kNoMost}, 3, Verdict::met, Verdict::met, Verdict::met},
           Case{{3, kNoMost}, 9, Verdict::met, Verdict::met, Verdict::met},
           Case{{0, 3}, 0, Verdict::open, Verdict::open, Verdict::met},
           Case{{0, 3}, 3, Verdict::open, Verdict::open, Verdict::met},
           Case{{0, 3}, 4, Verdict::missed, Verdict::missed, Verdict::missed},
           Case{{0, 0}, 0, Verdict::open, Verdict::open, Verdict::met},
           Case{{0, 0}, 1, Verdict::missed, Verdict::missed, Verdict::missed},
           Case{{2, 3}, 1, Verdict::open, Verdict::open, Verdict::missed},
           Case{{2, 3}, 2, Verdict::open, Verdict::open, Verdict::met},
           Case{{2, 3}, 4, Verdict::missed, Verdict::missed, Verdict::missed},
       }) {
    SCOPED_TRACE(testing::Message() << c.bounds.least << " to " << c.bounds.most << ", found " << c.found);
    Expectation expectation(c.bounds, base::kSecond);
    expectation.add(c.found);
    EXPECT_EQ(expectation.judge(false), c.once);
    EXPECT_EQ(expectation.judge(false), c.twice);
    Expectation last(c.bounds, 0);
    last.add(c.found);
    EXPECT_EQ(last.judge(true), c.at_the_end);
    EXPECT_EQ(last.verdict(), c.at_the_end);
  }
}

TEST(Expectation, AnotherRecordBetweenTwoLooks) {
  Expectation expectation({3, 3}, base::kSecond);
  expectation.add(2);
  EXPECT_EQ(expectation.judge(false), Verdict::open);
  expectation.add(1);
  EXPECT_EQ(expectation.judge(false), Verdict::open);
  expectation.add(1);
  EXPECT_EQ(expectation.judge(false), Verdict::missed);
}

TEST(Expectation, Room) {
  Expectation most({0, 3}, 0), none({0, 0}, 0), least({2, Expectation::Bounds::kNoMost}, 0);
  EXPECT_EQ(most.room(), 4u);
  most.add(2);
  EXPECT_EQ(most.room(), 2u);
  most.add(2);
  EXPECT_EQ(most.room(), 0u);
  EXPECT_EQ(none.room(), 1u);
  EXPECT_GT(least.room(), std::uint64_t{1} << 60U);
}

TEST(Expectation, Texts) {
  const auto f = [](const Expectation::Bounds& bounds, std::uint64_t found, base::Duration wait) {
    Expectation expectation(bounds, wait);
    expectation.add(found);
    expectation.judge(true);
    return expectation.text();
  };
  EXPECT_EQ(f({3, 3}, 3, 0), "expected 3 records, found 3");
  EXPECT_EQ(f({1, 1}, 0, 30 * base::kSecond), "expected 1 record, found none in 30 seconds");
  EXPECT_EQ(f({0, 0}, 2, 30 * base::kSecond), "expected no record, found at least 2");
  EXPECT_EQ(f({2000, kNoMost}, 1234, 0), "expected at least 2,000 records, found 1,234");
  EXPECT_EQ(f({0, 5}, 0, base::kSecond), "expected at most 5 records, found none");
  EXPECT_EQ(f({2, 5}, 3, 0), "expected 2 to 5 records, found 3");
}

}  // namespace
}  // namespace weir::stages
