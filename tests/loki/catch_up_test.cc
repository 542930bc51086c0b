#include "loki/catch_up.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::loki {
namespace {

using base::kMinute;
using base::kSecond;

constexpr double kKiB = 1024;

// Sends requests of `size` as fast as it may from `from` to `to`, each of which takes `took`; how many bytes.
double send(CatchUp& pace, base::Monotonic from, base::Monotonic to, std::size_t size, base::Duration took = kSecond / 10) {
  double sent = 0;
  for (base::Monotonic now = std::max(from, pace.ready_at(from)); now < to;
       now = std::max(now + kSecond / 100, pace.ready_at(now))) {
    pace.spend(size, now);
    pace.passed(took, now);
    sent += static_cast<double>(size);
  }
  return sent;
}

TEST(CatchUp, HoldsNothingBackWithoutABacklog) {
  CatchUp pace({}, 1);
  pace.spend(100 << 20, 1);
  EXPECT_EQ(pace.ready_at(2), 2);
  EXPECT_EQ(pace.request_bytes(), 256U << 10);
}

TEST(CatchUp, TheFirstRequestWaitsARandomTime) {
  base::Duration least = base::kHour;
  base::Duration most = 0;
  base::Duration sum = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CatchUp pace({}, seed);
    pace.begin(kMinute);
    const base::Duration wait = pace.ready_at(kMinute) - kMinute;
    EXPECT_EQ(wait, pace.wait_at_start());
    least = std::min(least, wait);
    most = std::max(most, wait);
    sum += wait;
  }
  EXPECT_LE(least, kSecond);
  EXPECT_GE(most, 29 * kSecond);
  EXPECT_LE(most, 30 * kSecond);
  EXPECT_NEAR(static_cast<double>(sum) / 300 / kSecond, 15, 2);
}

TEST(CatchUp, BeginsWithAsMuchAgainAsComesInAndGrowsToItsCeiling) {
  CatchUp pace({.jitter = 0}, 1);
  pace.set_inflow(100 * kKiB, 0);
  pace.begin(0);
  EXPECT_NEAR(send(pace, 0, 10 * kSecond, 16 << 10), 10 * 200 * kKiB, 200 * kKiB);
  EXPECT_NEAR(pace.allowed(), 200 * kKiB, 1);
  send(pace, 10 * kSecond, 35 * kSecond, 16 << 10);
  EXPECT_NEAR(pace.allowed(), 296 * kKiB, 1);  // twice 40 % more
  send(pace, 35 * kSecond, 10 * kMinute, 16 << 10);
  EXPECT_NEAR(pace.allowed(), 1124 * kKiB, 1);  // the inflow and 1 MiB
  EXPECT_NEAR(send(pace, 10 * kMinute, 11 * kMinute, 16 << 10), 60 * 1124 * kKiB, 1200 * kKiB);
}

TEST(CatchUp, GoesDownByHalfWhenLokiRefusesOrIsSlow) {
  CatchUp pace({.jitter = 0}, 1);
  pace.set_inflow(100 * kKiB, 0);
  pace.begin(0);
  send(pace, 0, 10 * kMinute, 16 << 10);
  base::Monotonic now = 11 * kMinute;
  pace.refused(now);
  EXPECT_NEAR(pace.allowed(), 612 * kKiB, 1);
  pace.refused(now + kSecond);  // it was on its way with the first
  EXPECT_NEAR(pace.allowed(), 612 * kKiB, 1);
  pace.passed(6 * kSecond, now += 10 * kSecond);
  EXPECT_NEAR(pace.allowed(), 356 * kKiB, 1);
  for (int i = 0; i < 20; ++i) pace.refused(now += kMinute);
  EXPECT_NEAR(pace.allowed(), 125 * kKiB, 1);  // never to nothing
}

TEST(CatchUp, WithoutAKnownInflowItEndsAllTheSame) {
  CatchUp pace({.jitter = 0}, 1);
  pace.begin(0);
  base::Monotonic now = 0;
  while (pace.allowed() < 20 * 1024 * kKiB && now < base::kHour * 24) pace.passed(0, now += kSecond);
  EXPECT_LT(now, base::kHour * 24);
}

TEST(CatchUp, WithoutAKnownInflowItBeginsWithTheUsual) {
  CatchUp pace({.jitter = 0}, 1);
  pace.begin(0, 200 * kKiB);
  EXPECT_NEAR(pace.allowed(), 400 * kKiB, 1);  // as much again as comes in, which is what came in
  pace.begin(0, 0);
  EXPECT_NEAR(pace.allowed(), 4 * kKiB, 1);
}

TEST(CatchUp, RequestsFitThePace) {
  CatchUp pace({.jitter = 0}, 1);
  pace.begin(0);
  EXPECT_EQ(pace.request_bytes(), 16U << 10);
  pace.set_inflow(20 * kKiB, 0);
  EXPECT_EQ(pace.request_bytes(), 160U << 10);
  pace.set_inflow(1024 * kKiB, 0);
  EXPECT_EQ(pace.request_bytes(), 256U << 10);
}

TEST(CatchUp, NoLimitMeansNone) {
  CatchUp pace({.rate = 0}, 1);
  pace.begin(0);
  EXPECT_FALSE(pace.active());
  pace.spend(1 << 30, 0);
  EXPECT_EQ(pace.ready_at(1), 1);
}

TEST(CatchUp, AnotherOutageBeginsAnew) {
  CatchUp pace({}, 7);
  pace.begin(0);
  send(pace, 0, 10 * kMinute, 16 << 10);
  const double before = pace.allowed();
  pace.begin(20 * kMinute);
  EXPECT_LT(pace.allowed(), before / 2);
  pace.end();
  pace.spend(1 << 30, 21 * kMinute);
  EXPECT_EQ(pace.ready_at(22 * kMinute), 22 * kMinute);
}

}  // namespace
}  // namespace weir::loki
