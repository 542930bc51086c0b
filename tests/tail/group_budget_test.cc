#include "tail/group_budget.h"

#include "tail/reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

namespace weir::tail {
namespace {

struct NoReader final : Reader {
  Outcome read(record::Batch&, Space&) override { return Outcome::idle; }
  [[nodiscard]] std::string_view name() const override { return ""; }
  [[nodiscard]] std::optional<Cause> take_trouble() override { return std::nullopt; }
  [[nodiscard]] base::Monotonic due() const override { return base::kNever; }
};

TEST(GroupBudget, TheLargestIsAsked) {
  GroupBudget budget(100);
  NoReader readers[3];
  GroupBudget::Member a(&budget, &readers[0]), b(&budget, &readers[1]), c(&budget, &readers[2]);
  a.hold(40);
  b.hold(50);
  EXPECT_EQ(budget.take_asked(), nullptr);
  c.hold(20);
  EXPECT_TRUE(b.asked());
  EXPECT_FALSE(a.asked() || c.asked());
  EXPECT_EQ(budget.take_asked(), &readers[1]);
  EXPECT_EQ(budget.take_asked(), nullptr);
  c.hold(45);  // 85 without the one that was asked
  EXPECT_FALSE(a.asked() || c.asked());
  b.hold(0);
  EXPECT_FALSE(b.asked());
  EXPECT_EQ(budget.held(), 85U);
  c.hold(70);  // itself: it need not be read
  EXPECT_TRUE(c.asked());
  EXPECT_EQ(budget.take_asked(), nullptr);
}

TEST(GroupBudget, WhoGoesIsForgotten) {
  GroupBudget budget(100);
  NoReader readers[2];
  auto a = std::make_unique<GroupBudget::Member>(&budget, &readers[0]);
  GroupBudget::Member b(&budget, &readers[1]);
  a->hold(90);
  b.hold(20);
  EXPECT_TRUE(a->asked());
  a.reset();
  EXPECT_EQ(budget.take_asked(), nullptr);
  EXPECT_EQ(budget.held(), 20U);
  b.hold(100);
  EXPECT_FALSE(b.asked());
}

// A stream is read when something comes, not when somebody asks.
TEST(GroupBudget, WhoCannotBeReadIsAskedWhenItSpeaks) {
  GroupBudget budget(100);
  GroupBudget::Member stream(&budget, nullptr);
  NoReader reader;
  GroupBudget::Member log(&budget, &reader);
  stream.hold(90);
  log.hold(20);
  EXPECT_TRUE(log.asked());
  EXPECT_FALSE(stream.asked());
  log.hold(0);
  stream.hold(101);
  EXPECT_TRUE(stream.asked());
}

TEST(GroupBudget, NoneIsNoBound) {
  GroupBudget::Member member(nullptr, nullptr);
  member.hold(1 << 30);
  EXPECT_FALSE(member.asked());
}

}  // namespace
}  // namespace weir::tail
