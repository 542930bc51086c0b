#include "loki/gate.h"

#include <gtest/gtest.h>

namespace weir::loki {
namespace {

using base::kMinute;
using base::kSecond;
using Trouble = Gate::Trouble;

TEST(Gate, IsOpenUntilSomethingFails) {
  Gate gate({}, 1);
  EXPECT_TRUE(gate.admits(0, 3));
  EXPECT_EQ(gate.passed(1), 0);
  gate.failed(0, kSecond, Trouble::passing, 0);
  EXPECT_TRUE(gate.failing());
  EXPECT_EQ(gate.since(), kSecond);
}

TEST(Gate, IsTriedByOneRequestAtATimeAfterAWait) {
  Gate gate({}, 1);
  gate.failed(0, kSecond, Trouble::passing, 20 * kSecond);
  EXPECT_FALSE(gate.admits(20 * kSecond, 0));
  EXPECT_GE(gate.retry_at(), 21 * kSecond);
  EXPECT_LE(gate.retry_at(), 23 * kSecond);
  EXPECT_TRUE(gate.admits(24 * kSecond, 0));
  EXPECT_FALSE(gate.admits(24 * kSecond, 1));
  EXPECT_EQ(gate.passed(31 * kSecond), 30 * kSecond);
  EXPECT_TRUE(gate.admits(31 * kSecond, 3));
}

TEST(Gate, WhatWasOnItsWayDoesNotShortenARetryAfter) {
  Gate gate({}, 1);
  gate.failed(0, kSecond, Trouble::passing, 20 * kSecond);
  EXPECT_EQ(gate.passed(2 * kSecond, 0), 0);
  EXPECT_FALSE(gate.admits(20 * kSecond, 0));
  EXPECT_GT(gate.passed(25 * kSecond, 24 * kSecond), 0);
  EXPECT_TRUE(gate.admits(25 * kSecond, 3));
  // Where nobody asked for a wait, whatever passes tells that the trouble is over.
  gate.failed(25 * kSecond, 26 * kSecond, Trouble::passing, 0);
  EXPECT_GT(gate.passed(26 * kSecond + 1, 25 * kSecond), 0);
}

TEST(Gate, WhatFailsTogetherIsOneFailure) {
  // Four requests that were on their way at once make the wait no longer than one of them.
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Gate gate({}, seed);
    for (int i = 0; i < 4; ++i) gate.failed(0, kSecond + i, Trouble::passing, 0);
    EXPECT_LE(gate.retry_at(), kSecond + kSecond / 2) << seed;
    gate.failed(2 * kSecond, 3 * kSecond, Trouble::passing, 0);
    EXPECT_LE(gate.retry_at(), 4 * kSecond) << seed;
  }
}

TEST(Gate, WaitsGrowToTheirCeilingAndAreRandom) {
  base::Duration longest = 0;
  base::Duration shortest = base::kHour;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Gate gate({}, seed);
    base::Monotonic now = kSecond;
    for (int i = 0; i < 20; ++i) {
      gate.failed(now, now, Trouble::passing, 0);
      now = std::max(now + 1, gate.retry_at());
    }
    gate.failed(now, now, Trouble::passing, 0);
    longest = std::max(longest, gate.retry_at() - now);
    shortest = std::min(shortest, gate.retry_at() - now);
  }
  EXPECT_LE(longest, kMinute);
  EXPECT_GE(longest, 55 * kSecond);
  EXPECT_LE(shortest, 5 * kSecond);
}

// The wait of `tries` failures in a row from `now` on; `now` becomes the end of the last one.
base::Duration last_wait(Gate& gate, base::Monotonic& now, Trouble trouble, int tries) {
  base::Monotonic failed = now;
  for (int i = 0; i < tries; ++i) {
    failed = now;
    gate.failed(now, now, trouble, 0);
    now = std::max(now + 1, gate.retry_at());
  }
  return now - failed;
}

TEST(Gate, AnUnreachableTargetIsTriedEveryFewSeconds) {
  base::Duration longest = 0;
  base::Duration sum = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Gate gate({}, seed);
    base::Monotonic now = kSecond;
    const base::Duration wait = last_wait(gate, now, Trouble::unreachable, 50);
    longest = std::max(longest, wait);
    sum += wait;
  }
  EXPECT_LE(longest, 4 * kSecond);
  EXPECT_NEAR(static_cast<double>(sum) / 200 / kSecond, 2, 0.3);
}

// A Loki that starts refuses connections and then says 503 for a while: each kind of trouble has waits of its own.
TEST(Gate, EachTroubleHasItsOwnWaits) {
  base::Duration longest_of_first = 0;
  base::Duration longest_of_many = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Gate gate({}, seed);
    base::Monotonic now = kSecond;
    last_wait(gate, now, Trouble::unreachable, 50);
    longest_of_first = std::max(longest_of_first, last_wait(gate, now, Trouble::passing, 1));
    longest_of_many = std::max(longest_of_many, last_wait(gate, now, Trouble::passing, 20));
    gate.passed(now);
    EXPECT_LE(last_wait(gate, now, Trouble::unreachable, 1), kSecond / 2) << seed;
  }
  EXPECT_LE(longest_of_first, kSecond / 2);
  EXPECT_GE(longest_of_many, 50 * kSecond);
}

TEST(Gate, AWrongTargetIsTriedRarely) {
  base::Duration sum = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Gate gate({}, seed);
    base::Monotonic now = kSecond;
    for (int i = 0; i < 8; ++i) {
      gate.failed(now, now, Trouble::wrong, 0);
      now = std::max(now + 1, gate.retry_at());
    }
    sum += now;
  }
  EXPECT_GE(sum / 100, 3 * kMinute);
}

}  // namespace
}  // namespace weir::loki
