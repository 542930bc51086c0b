#include "base/backoff.h"
#include "base/diagnostics.h"
#include "base/resident_code.h"
#include "base/result.h"
#include "base/stop.h"
#include "base/unique_fd.h"

#include "support/fake_clock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

namespace weir::base {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Code::usage, "cannot halve {}", number);
  return number / 2;
}

TEST(Result, HoldsAValueOrAnError) {
  const auto good = half(4);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 2);
  auto bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::usage);
  EXPECT_EQ(std::move(bad).error().within("cannot start").message, "cannot start: cannot halve 3");
}

TEST(Result, IoErrorsNameTheCauseAndFullDisksAreFull) {
  EXPECT_EQ(io_error(ENOENT, "open \"x\"").message, "cannot open \"x\": No such file or directory");
  EXPECT_EQ(io_error(ENOENT, "open").code, Code::io);
  EXPECT_EQ(io_error(ENOSPC, "write").code, Code::full);
}

TEST(Result, WhatCodeBranchesOnIsNoText) {
  const Error missing = io_error(ENOENT, "open a: b").within("cannot start");
  EXPECT_EQ(missing.system, ENOENT);
  EXPECT_EQ(missing.cause(), "No such file or directory");
  const Error odd = cannot(Code::forbidden, "open x", "a rule: no").within("cannot start");
  EXPECT_EQ(odd.message, "cannot start: cannot open x: a rule: no");
  EXPECT_EQ(odd.cause(), "a rule: no");
  EXPECT_EQ(odd.system, 0);
  const Error plain = fail(Code::usage, "what is wrong: {}", 1);
  EXPECT_EQ(plain.cause(), plain.message);
  EXPECT_FALSE(plain.offset);
  EXPECT_TRUE(plain.text.empty());
}

TEST(UniqueFd, ClosesOnceAndMoves) {
  int raw = -1;
  {
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    raw = fd.get();
    UniqueFd moved = std::move(fd);
    EXPECT_FALSE(fd);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(moved.get(), raw);
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

TEST(PollTimeout, RoundsUpAndSaturates) {
  EXPECT_EQ(poll_timeout(0, kNever), -1);
  EXPECT_EQ(poll_timeout(5, 5), 0);
  EXPECT_EQ(poll_timeout(6, 5), 0);
  EXPECT_EQ(poll_timeout(0, 1), 1);
  EXPECT_EQ(poll_timeout(0, kMillisecond), 1);
  EXPECT_EQ(poll_timeout(0, kMillisecond + 1), 2);
  EXPECT_EQ(poll_timeout(0, kNever - 1), INT_MAX);
  EXPECT_EQ(after(kSecond, kNever), kNever);
}

TEST(Backoff, StaysWithinTheDoublingCeiling) {
  Backoff backoff({.base = 100, .ceiling = 1000}, 7);
  Duration cap = 100;
  for (int i = 0; i < 20; ++i) {
    const Duration wait = backoff.next();
    EXPECT_GE(wait, 0);
    EXPECT_LE(wait, cap) << "attempt " << i;
    cap = std::min<Duration>(cap * 2, 1000);
  }
  backoff.reset();
  EXPECT_LE(backoff.next(), 100);
}

TEST(Backoff, RetryAfterIsAFloorAlsoAboveTheCeiling) {
  Backoff backoff({.base = 100, .ceiling = 1000}, 7);
  for (int i = 0; i < 50; ++i) {
    const Duration wait = backoff.next(5000);
    EXPECT_GE(wait, 5000);
    EXPECT_LE(wait, 5500);
  }
}

TEST(Stop, LevelsAndTheSignal) {
  auto stop = Stop::create();
  ASSERT_TRUE(stop);
  const auto readable = [&] {
    pollfd ready = {(*stop)->fd(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1;
  };
  EXPECT_FALSE((*stop)->stopped());
  EXPECT_FALSE(readable());
  (*stop)->request(SIGTERM);
  EXPECT_EQ((*stop)->level(), Stop::drain);
  EXPECT_TRUE(readable());
  (*stop)->request(SIGINT);
  EXPECT_EQ((*stop)->level(), Stop::leave);
  EXPECT_EQ((*stop)->signal(), SIGTERM);
  (*stop)->request(SIGINT);
  EXPECT_EQ((*stop)->level(), Stop::leave);
  (*stop)->request_reload();
  EXPECT_EQ((*stop)->reloads(), 1);
}

TEST(Stop, WhoWaitsGivesUpByTheDeadlineOfTheFirstRequest) {
  auto stop = std::move(*Stop::create());
  stop->allow(20 * kSecond);
  stop->allow(15 * kSecond);  // another chain in this process; the longest counts
  EXPECT_EQ(stop->deadline(kSecond), kNever);
  stop->request(SIGTERM);
  EXPECT_EQ(stop->deadline(100 * kSecond), 120 * kSecond);
  EXPECT_EQ(stop->deadline(110 * kSecond), 120 * kSecond);
  stop->request(SIGTERM);
  EXPECT_EQ(stop->deadline(111 * kSecond), 111 * kSecond);
}

TEST(Stop, AChildStopsWithItsParentAndAlone) {
  auto parent = std::move(*Stop::create());
  auto child = std::move(*Stop::create_child(*parent));
  auto sibling = std::move(*Stop::create_child(*parent));
  const auto readable = [](const Stop& stop) {
    pollfd ready = {stop.fd(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1;
  };
  child->allow(20 * kSecond);
  child->request();
  EXPECT_EQ(child->level(), Stop::drain);
  EXPECT_TRUE(readable(*child));
  EXPECT_EQ(child->deadline(kSecond), 21 * kSecond);
  EXPECT_EQ(child->signal(), 0);
  EXPECT_FALSE(parent->stopped());
  EXPECT_FALSE(sibling->stopped());
  EXPECT_FALSE(readable(*parent));
  EXPECT_FALSE(readable(*sibling));

  parent->request(SIGTERM);
  EXPECT_EQ(sibling->level(), Stop::drain);
  EXPECT_TRUE(readable(*sibling));
  EXPECT_EQ(sibling->signal(), SIGTERM);
  parent->request(SIGTERM);
  EXPECT_EQ(child->level(), Stop::leave);
  EXPECT_EQ(child->deadline(2 * kSecond), 2 * kSecond);
}

TEST(Stop, WhoWaitsLearnsThatTheFeedDied) {
  struct Fed : Feed {
    bool died() override {
      ++asked;
      return dead;
    }
    bool dead = false;
    int asked = 0;
  } feed;
  auto stop = std::move(*Stop::create());
  stop->watch(&feed);
  EXPECT_EQ(stop->deadline(kSecond), kNever);
  EXPECT_FALSE(stop->feed_has_died());
  feed.dead = true;
  EXPECT_EQ(stop->deadline(2 * kSecond), 2 * kSecond + Stop::kAfterDeath);
  EXPECT_TRUE(stop->feed_has_died());
  EXPECT_FALSE(stop->stopped());
  EXPECT_EQ(feed.asked, 2);
  stop->request(SIGTERM);  // a signal does not give it more time
  EXPECT_EQ(stop->deadline(3 * kSecond), 2 * kSecond + Stop::kAfterDeath);
  EXPECT_EQ(feed.asked, 2);

  auto other = std::move(*Stop::create());
  other->watch(&feed);
  other->watch(nullptr);
  EXPECT_EQ(other->deadline(kSecond), kNever);
}

TEST(Diagnostics, RecurringMessagesAreThrottledAndCounted) {
  test::FakeClock clock;
  const auto diagnostics = Diagnostics::standard_error("tail", clock);
  testing::internal::CaptureStderr();
  diagnostics->warn("key", "first");
  diagnostics->warn("key", "second");
  diagnostics->warn("key", "third");
  diagnostics->warn("other", "another");
  clock.advance(31 * kSecond);
  diagnostics->warn("key", "fourth");
  diagnostics->report(fail(Code::io, "cannot x").with_hint("do y"));
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      "weir tail: first\nweir tail: another\nweir tail: fourth (2 more like this since)\nweir tail: cannot x\nweir tail: do y\n");
}

TEST(EscapeControl, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(escape_control("plain \xc3\xa9"), "plain \xc3\xa9");
  EXPECT_EQ(escape_control("a\nb\tc\r"), "a\\nb\\tc\\r");
  EXPECT_EQ(escape_control("\x1b[31m\x7f"), "\\x1b[31m\\x7f");
  EXPECT_EQ(escape_control("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(escape_control("\xc2\x9b"), "\\u009b");  // CSI as one character
  EXPECT_EQ(escape_control("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

// Kilobytes of files that are mapped and in memory.
long resident_files() {
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    if (long size = 0; name == "RssFile:" && status >> size) return size;
  }
  return -1;
}

TEST(ResidentCode, WhatWasTouchedIsGivenBackAndComesAgain) {
  const long before = resident_files();
  ASSERT_GT(before, 0);
  forget_code_of_loading();
  EXPECT_LT(resident_files(), before);
  EXPECT_EQ(escape_control("still here"), "still here");
}

}  // namespace
}  // namespace weir::base
