#include "show/progress.h"

#include "support/fake_clock.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::show {
namespace {

using base::Duration;
using base::kHour;
using base::kMillisecond;
using base::kSecond;

// Remembers every line; "" is the line that was taken away.
class Terminal : public base::Diagnostics {
 public:
  explicit Terminal(bool is_one = true) : is_one_(is_one) {}
  void say(std::string_view) override {}
  void warn(std::string_view, std::string_view) override {}
  void progress(std::string_view text) override { lines.emplace_back(text); }
  [[nodiscard]] bool shows_progress() const override { return is_one_; }
  std::vector<std::string> lines;

 private:
  const bool is_one_;
};

TEST(ProgressText, HasWhatIsKnown) {
  const auto f = [](const Amount& amount, std::optional<double> rate, std::optional<Duration> left, const std::string& text) {
    EXPECT_EQ(progress_text("read", amount, rate, left, 3 * kSecond), text);
  };
  f({.records = 1234567, .bytes = 1288490189, .done = 43, .all = 100}, 102760448.0, 12 * kSecond,
    "read 43%, 1,234,567 records, 1.2 GiB, 98.0 MiB/s, 12s left");
  f({.records = 1, .bytes = 10}, 5.0, std::nullopt, "read 1 record, 10 B, 5 B/s, 3s so far");
  f({.records = 1, .bytes = 10}, std::nullopt, std::nullopt, "read 1 record, 10 B, 3s so far");
  f({}, std::nullopt, std::nullopt, "read 3s so far");
  f({.done = 0, .all = 7}, std::nullopt, std::nullopt, "read 0%, 3s so far");
  f({.done = 999, .all = 1000}, std::nullopt, 0, "read 99%, 0s left");  // 100% is for what is done
  f({.done = 7, .all = 7}, std::nullopt, 0, "read 100%, 0s left");
  f({.done = 8, .all = 7}, std::nullopt, 0, "read 100%, 0s left");  // files that grow
  f({.records = 5, .also = "3 rejected"}, std::nullopt, std::nullopt, "read 5 records, 3s so far, 3 rejected");
}

TEST(ProgressText, WaitsHaveTwoUnits) {
  const auto f = [](Duration left, const std::string& text) {
    EXPECT_EQ(progress_text("read", {.done = 1, .all = 2}, std::nullopt, left, 0), "read 50%, " + text + " left");
  };
  f(999 * kMillisecond, "0s");
  f(59 * kSecond, "59s");
  f(60 * kSecond, "1m");
  f(125 * kSecond, "2m 5s");
  f(kHour, "1h");
  f(kHour + 59 * kSecond, "1h");
  f(25 * kHour - kSecond, "1d");
  f(27 * kHour, "1d 3h");
  f(23 * kHour + 61 * kSecond, "23h 1m");
}

TEST(Pace, IsThatOfTheLastSeconds) {
  Pace pace;
  EXPECT_FALSE(pace.per_second());
  pace.begin(0);
  pace.note(0, 0);
  EXPECT_FALSE(pace.per_second());
  for (int second = 1; second <= 30; ++second) pace.note(second * kSecond, static_cast<std::uint64_t>(second) * 100);
  EXPECT_DOUBLE_EQ(*pace.per_second(), 100);
  for (int second = 31; second <= 60; ++second) pace.note(second * kSecond, 3000);
  EXPECT_DOUBLE_EQ(*pace.per_second(), 0);
}

TEST(Pace, AValueThatFallsIsNoSpeed) {
  Pace pace;
  pace.begin(0, 50);
  pace.note(kSecond, 20);
  EXPECT_DOUBLE_EQ(*pace.per_second(), 0);
}

TEST(Progress, ComesAfterTwoSecondsAndThenFourTimesASecond) {
  Terminal terminal;
  test::FakeClock clock;
  Progress progress("read", terminal, clock);
  std::vector<int> shown;
  for (int ms = 0; ms <= 3000; ms += 50) {
    if (progress.due()) {
      shown.push_back(ms);
      progress.show({.records = 1});
    }
    clock.advance(50 * kMillisecond);
  }
  EXPECT_EQ(shown, (std::vector<int>{2000, 2250, 2500, 2750, 3000}));
}

TEST(Progress, TimeBeginsWithTheFirstQuestion) {
  Terminal terminal;
  test::FakeClock clock;
  Progress progress("read", terminal, clock, 3 * kSecond);
  EXPECT_EQ(progress.next(), base::kNever);
  clock.advance(kHour);
  EXPECT_FALSE(progress.due());
  EXPECT_EQ(progress.next(), clock.monotonic() + 3 * kSecond);
  clock.advance(3 * kSecond);
  EXPECT_TRUE(progress.due());
}

TEST(Progress, SaysShareRateAndTimeLeft) {
  Terminal terminal;
  test::FakeClock clock;
  Progress progress("read", terminal, clock);
  EXPECT_FALSE(progress.due());
  clock.advance(2 * kSecond);
  ASSERT_TRUE(progress.due());
  progress.show({.records = 20, .bytes = 4096, .done = 20, .all = 100});
  EXPECT_EQ(progress.next(), clock.monotonic() + Progress::kEvery);
  clock.advance(2 * kSecond);
  ASSERT_TRUE(progress.due());
  progress.show({.records = 100, .bytes = 8192, .done = 100, .all = 100});
  EXPECT_EQ(terminal.lines, (std::vector<std::string>{"read 20%, 20 records, 4.0 KiB, 2.0 KiB/s, 8s left",
                                                      "read 100%, 100 records, 8.0 KiB, 2.0 KiB/s, 0s left"}));
}

TEST(Progress, WhatDoesNotMoveHasNoTimeLeft) {
  Terminal terminal;
  test::FakeClock clock;
  Progress progress("read", terminal, clock);
  EXPECT_FALSE(progress.due());
  clock.advance(2 * kSecond);
  progress.show({.done = 0, .all = 100});
  progress.show({.done = 1, .all = std::uint64_t{1} << 60});
  EXPECT_EQ(terminal.lines, (std::vector<std::string>{"read 0%, 2s so far", "read 0%, 2s so far"}));
}

TEST(Progress, TheLineIsTakenAwayOnce) {
  Terminal terminal;
  test::FakeClock clock;
  {
    Progress progress("read", terminal, clock);
    EXPECT_FALSE(progress.due());
    clock.advance(2 * kSecond);
    progress.show({.records = 1});
    progress.end();
    EXPECT_EQ(terminal.lines.size(), 2U);
    EXPECT_EQ(terminal.lines.back(), "");
    EXPECT_FALSE(progress.due());  // it begins anew
    clock.advance(kSecond);
    EXPECT_FALSE(progress.due());
  }
  EXPECT_EQ(terminal.lines.size(), 2U);
  {
    Progress progress("read", terminal, clock);
    EXPECT_FALSE(progress.due());
    clock.advance(2 * kSecond);
    progress.show({.records = 1});
  }
  EXPECT_EQ(terminal.lines.size(), 4U);
  EXPECT_EQ(terminal.lines.back(), "");
}

TEST(Progress, WhatWasNeverShownIsNotTakenAway) {
  Terminal terminal;
  test::FakeClock clock;
  {
    Progress progress("read", terminal, clock);
    EXPECT_FALSE(progress.due());
  }
  EXPECT_TRUE(terminal.lines.empty());
}

// Whose time nobody may ask for.
class NoClock : public base::Clock {
 public:
  [[nodiscard]] base::Timestamp wall() const override { return ADD_FAILURE(), 0; }
  [[nodiscard]] base::Monotonic monotonic() const override { return ADD_FAILURE(), 0; }
};

TEST(Progress, WithoutATerminalNotEvenTheClockIsRead) {
  Terminal terminal(false);
  const NoClock clock;
  Progress progress("read", terminal, clock);
  EXPECT_FALSE(progress.on());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(progress.due());
  progress.show({.records = 1});
  progress.end();
  EXPECT_EQ(progress.next(), base::kNever);
  EXPECT_TRUE(terminal.lines.empty());
}

}  // namespace
}  // namespace weir::show
