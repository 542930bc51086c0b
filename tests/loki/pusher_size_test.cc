// A 413 is about size, and a limit that lets nothing pass is the target's trouble.
#include "pusher_fixture.h"

namespace weir::loki {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SizeTest : public PusherTest {
 protected:
  SizeTest() { config_.give_up = 0; }
  // Answers for `time`: 413 to a request of more than `limit` bytes of lines.
  int answer_for(base::Duration time, std::size_t limit) {
    int refused = 0;
    const base::Monotonic end = clock_.monotonic() + time;
    while (clock_.monotonic() < end) {
      while (!transport_.flights.empty()) {
        std::size_t bytes = 0;
        for (const auto& stream : transport_.flights.front().streams())
          for (const auto& entry : stream.entries) bytes += entry.line.size();
        refused += bytes > limit ? 1 : 0;
        transport_.answer(bytes > limit ? 413 : 204, bytes > limit ? "<html>413 Request Entity Too Large</html>" : "");
      }
      later(base::kSecond);
    }
    return refused;
  }
};

TEST_F(SizeTest, WhatRefusesEverythingIsATargetThatFails) {
  for (int i = 0; i < 600; ++i) add("a" + std::to_string(i % 3), "line " + std::to_string(i));
  due();
  // Some requests to find the size, and then one at a time with longer and longer waits.
  EXPECT_LT(answer_for(base::kHour, 0), 250);
  EXPECT_THAT(ledger_.refused, IsEmpty());
  EXPECT_EQ(pusher().stats().rejected, 0U);
  EXPECT_THAT(diagnostics_.said(), Contains(HasSubstr("client_max_body_size")));
  // Somebody has mended it: all come, in order.
  answer_for(10 * base::kMinute, 1 << 20);
  EXPECT_EQ(ledger_.settled.size(), 600U);
  EXPECT_EQ(pusher().stats().pending, 0U);
}

TEST_F(SizeTest, OnlyWhatIsTooLargeAloneIsRejected) {
  for (const int at : {0, 4, 9}) {
    pusher_.reset();
    ledger_ = {};
    transport_.flights.clear();
    next_token_ = 0;
    for (int i = 0; i < 10; ++i) add("a", i == at ? std::string(5000, 'x') : "line " + std::to_string(i));
    due();
    answer_for(10 * base::kMinute, 1000);
    EXPECT_EQ(ledger_.settled.size(), 9U) << at;
    ASSERT_EQ(ledger_.refused.size(), 1U) << at;
    EXPECT_THAT(ledger_.refused[0], HasSubstr(fmt::format("{} 413 too_large xxx", at)));
    EXPECT_EQ(pusher().stats().pending, 0U);
  }
}

// The limit of a proxy is learnt: requests stay below it, and a larger one is tried once a minute.
TEST_F(SizeTest, RequestsBecomeSmallerAndGrowAgain) {
  const std::string line(1000, 'y');
  const auto flow = [&](base::Duration time, std::size_t limit) {
    int refused = 0;
    for (base::Duration passed = 0; passed < time; passed += 10 * base::kSecond) {
      for (int i = 0; i < 200; ++i) add("a", line);
      refused += answer_for(10 * base::kSecond, limit);
    }
    return refused;
  };
  EXPECT_GT(flow(base::kMinute, 20'000), 0);
  EXPECT_LT(flow(10 * base::kMinute, 20'000), 60);
  EXPECT_THAT(ledger_.refused, IsEmpty());
  flow(10 * base::kMinute, 1 << 20);
  EXPECT_EQ(flow(base::kMinute, 1 << 20), 0);
}

}  // namespace
}  // namespace weir::loki
