#include "stages/reload_effect.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using base::kMinute;
using base::kSecond;

struct Life {
  // For `time`, a thousand records come every second, and so many of them pass.
  void flow(base::Duration time, std::uint64_t passed) {
    for (const base::Monotonic end = now + time; now < end; now += kSecond) effect.add(now, 1000, passed);
  }
  void reload() { effect.reloaded(now); }
  double dropped() const { return effect.dropped(now); }
  ReloadEffect effect;
  base::Monotonic now = 5;
};

TEST(ReloadEffect, IsTheShareOfWhatPassedBefore) {
  struct Case {
    std::uint64_t before, after;
    double dropped;
  };
  for (const Case& one : {Case{1000, 1000, 0}, Case{1000, 400, 0.6}, Case{500, 100, 0.8}, Case{500, 0, 1}, Case{500, 900, 0}}) {
    Life life;
    life.flow(2 * kMinute, one.before);
    EXPECT_EQ(life.dropped(), 0);
    life.reload();
    EXPECT_EQ(life.dropped(), 0) << "nothing came since";
    life.flow(20 * kSecond, one.after);
    EXPECT_NEAR(life.dropped(), one.dropped, 1e-9) << one.before << " " << one.after;
  }
}

TEST(ReloadEffect, OnlyTheMinuteBeforeAndTheMinuteAfterCount) {
  Life life;
  life.flow(5 * kMinute, 100);
  life.flow(kMinute + 6 * kSecond, 1000);
  life.reload();
  life.flow(kMinute + kSecond, 500);
  EXPECT_NEAR(life.dropped(), 0.5, 0.01);
  life.flow(5 * kMinute, 1000);
  EXPECT_NEAR(life.dropped(), 0.5, 0.01);
}

TEST(ReloadEffect, IsShownForAnHour) {
  Life life;
  life.flow(kMinute, 1000);
  life.reload();
  life.flow(kMinute, 100);
  life.now += 58 * kMinute;
  EXPECT_NEAR(life.dropped(), 0.9, 1e-9);
  life.now += 2 * kMinute;
  EXPECT_EQ(life.dropped(), 0);
}

TEST(ReloadEffect, TheNextReloadIsComparedWithTheRulesBeforeIt) {
  Life life;
  life.flow(kMinute, 1000);
  life.reload();
  life.flow(10 * kSecond, 100);
  life.reload();  // takes it back
  life.flow(10 * kSecond, 1000);
  EXPECT_EQ(life.dropped(), 0);
}

TEST(ReloadEffect, OfFewRecordsNothingIsSaid) {
  ReloadEffect effect;
  effect.reloaded(0);
  effect.add(1, 1000, 0);
  EXPECT_EQ(effect.dropped(2), 0) << "nothing came before";
  ReloadEffect other;
  other.add(0, 99, 99);
  other.reloaded(1);
  other.add(2, 1000, 0);
  EXPECT_EQ(other.dropped(3), 0);
  ReloadEffect third;
  third.add(0, 1000, 0);
  third.reloaded(1);
  third.add(2, 1000, 0);
  EXPECT_EQ(third.dropped(3), 0) << "nothing passed before";
}

}  // namespace
}  // namespace weir::stages
