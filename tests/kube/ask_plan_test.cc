#include "kube/ask_plan.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weir::kube {
namespace {

using base::kSecond;

// One request, a second long, that names these pods.
void request(AskPlan& plan, base::Monotonic at, const std::set<std::string>& named = {}) {
  plan.began(at);
  plan.answered(at + kSecond, [&](const std::string& uid) { return named.count(uid) != 0; });
}

TEST(AskPlanTest, NothingIsAskedForNobody) {
  AskPlan plan;
  EXPECT_EQ(plan.due(), base::kNever);
}

TEST(AskPlanTest, AsksAtOnceThreeTimesAndThenRests) {
  AskPlan plan;
  EXPECT_TRUE(plan.ask("a", 100 * kSecond));
  EXPECT_FALSE(plan.ask("a", 100 * kSecond));
  EXPECT_LE(plan.due(), 100 * kSecond);
  request(plan, 100 * kSecond);
  EXPECT_EQ(plan.due(), 102 * kSecond);
  request(plan, 102 * kSecond);
  EXPECT_EQ(plan.due(), 104 * kSecond);
  request(plan, 104 * kSecond);
  EXPECT_EQ(plan.due(), base::kNever);
  // The log is still there, and asks with each batch.
  EXPECT_FALSE(plan.ask("a", 105 * kSecond));
  EXPECT_FALSE(plan.ask("a", 404 * kSecond));
  EXPECT_EQ(plan.due(), base::kNever);
  EXPECT_TRUE(plan.ask("a", 405 * kSecond));
  EXPECT_LE(plan.due(), 405 * kSecond);
  request(plan, 405 * kSecond);
  EXPECT_EQ(plan.due(), base::kNever);
  EXPECT_FALSE(plan.ask("a", 705 * kSecond));
  EXPECT_TRUE(plan.ask("a", 706 * kSecond));
}

TEST(AskPlanTest, WhatIsKnownIsForgotten) {
  AskPlan plan;
  plan.ask("a", 0);
  plan.ask("b", 0);
  request(plan, 10 * kSecond, {"a"});
  EXPECT_EQ(plan.size(), 1U);
  EXPECT_EQ(plan.due(), 12 * kSecond);
  request(plan, 12 * kSecond, {"b"});
  EXPECT_EQ(plan.size(), 0U);
  EXPECT_EQ(plan.due(), base::kNever);
}

TEST(AskPlanTest, AnotherPodWaitsForTheTwoSecondsToo) {
  AskPlan plan;
  plan.ask("a", 10 * kSecond);
  request(plan, 10 * kSecond, {"a"});
  EXPECT_TRUE(plan.ask("b", 11 * kSecond));
  EXPECT_EQ(plan.due(), 12 * kSecond);
}

TEST(AskPlanTest, WhatIsAskedForDuringARequestIsTriedWithTheNext) {
  AskPlan plan;
  plan.ask("a", 10 * kSecond);
  plan.began(10 * kSecond);
  plan.ask("late", 10 * kSecond);
  plan.answered(11 * kSecond, [](const std::string&) { return false; });
  request(plan, 12 * kSecond);
  request(plan, 14 * kSecond);  // the third for "a"
  EXPECT_EQ(plan.due(), 16 * kSecond);
  request(plan, 16 * kSecond);
  EXPECT_EQ(plan.due(), base::kNever);
}

TEST(AskPlanTest, AFailureIsNoTryAndWaits) {
  AskPlan plan;
  plan.ask("a", 0);
  for (int i = 0; i < 10; ++i) {
    plan.began(100 * kSecond);
    plan.failed(101 * kSecond, 20 * kSecond);
    EXPECT_EQ(plan.due(), 121 * kSecond);
  }
  plan.failed(200 * kSecond, 0);
  EXPECT_EQ(plan.due(), 202 * kSecond);
  for (const int at : {300, 302, 304}) {
    EXPECT_NE(plan.due(), base::kNever);
    request(plan, at * kSecond);
  }
  EXPECT_EQ(plan.due(), base::kNever);
}

TEST(AskPlanTest, WhileItIsUsedTheListIsNeverOld) {
  AskPlan plan;
  plan.used();
  EXPECT_LE(plan.due(), 10 * kSecond) << "there is no list yet";
  request(plan, 10 * kSecond);
  EXPECT_EQ(plan.due(), base::kNever) << "nobody needs another one";
  plan.used();
  EXPECT_EQ(plan.due(), 10 * kSecond + AskPlan::kRefresh);
  plan.began(400 * kSecond);
  plan.used();
  plan.failed(401 * kSecond, 60 * kSecond);
  EXPECT_EQ(plan.due(), 461 * kSecond);
  // A list that an unknown pod asked for counts as well.
  plan.ask("a", 461 * kSecond);
  request(plan, 461 * kSecond, {"a"});
  plan.used();
  EXPECT_EQ(plan.due(), 461 * kSecond + AskPlan::kRefresh);
}

TEST(AskPlanTest, WhatIsNotUsedAsksNobody) {
  AskPlan plan;
  plan.ask("a", 10 * kSecond);
  request(plan, 10 * kSecond, {"a"});
  EXPECT_EQ(plan.due(), base::kNever);
}

TEST(AskPlanTest, WhatMadeARequestFailIsGone) {
  AskPlan plan;
  plan.ask("a", 10 * kSecond);
  plan.began(10 * kSecond);
  plan.failed(11 * kSecond, 100 * kSecond);
  plan.retry(11 * kSecond);
  EXPECT_EQ(plan.due(), 12 * kSecond) << "not sooner than ever";
  plan.retry(50 * kSecond);
  EXPECT_EQ(plan.due(), 12 * kSecond);
  plan.failed(11 * kSecond, 100 * kSecond);
  plan.retry(50 * kSecond);
  EXPECT_EQ(plan.due(), 50 * kSecond);
}

TEST(AskPlanTest, IsBounded) {
  AskPlan plan;
  for (int i = 0; i < 2000; ++i) plan.ask(std::to_string(i), 0);
  EXPECT_EQ(plan.size(), AskPlan::kMostKeys);
  for (const int at : {0, 2, 4}) request(plan, at * kSecond);
  EXPECT_FALSE(plan.ask("new", 10 * kSecond));
  // Those that have rested make room.
  EXPECT_TRUE(plan.ask("new", 1000 * kSecond));
  EXPECT_EQ(plan.size(), 1U);
}

}  // namespace
}  // namespace weir::kube
