#include "loki/follow_window.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace weir::loki {
namespace {

using base::Duration;
using base::Hash128;
using base::kMinute;
using base::kSecond;
using base::Monotonic;
using base::Timestamp;

constexpr Timestamp kBegin = 1'760'000'000 * kSecond;

Hash128 id(std::uint64_t number) { return base::stable_hash(number, {}); }

class FollowWindowTest : public ::testing::Test {
 protected:
  FollowWindow::Look begin(Duration at) { return window.begin(kBegin + at, at); }
  bool done(Duration at) { return window.done(kBegin + at, at); }

  FollowWindow::Options options;
  FollowWindow window{kBegin - kMinute * 10, kBegin, {}};
};

TEST_F(FollowWindowTest, TheFirstLookIsWide) {
  const auto look = begin(0);
  EXPECT_TRUE(look.wide);
  EXPECT_EQ(look.window.from, kBegin - kMinute);
  EXPECT_EQ(look.window.to, kBegin + 10 * kMinute);
}

TEST_F(FollowWindowTest, QuickLooksFollowThePresent) {
  begin(0);
  EXPECT_TRUE(done(0));
  EXPECT_EQ(window.due(), kSecond);
  const auto look = begin(kSecond);
  EXPECT_FALSE(look.wide);
  EXPECT_EQ(look.window.from, kBegin - 5 * kSecond);
  EXPECT_TRUE(done(kSecond));
  EXPECT_EQ(begin(2 * kSecond).window.from, kBegin + kSecond - 5 * kSecond);
}

TEST_F(FollowWindowTest, AWideLookBeginsLateBeforeTheLastOne) {
  begin(0);
  done(0);
  const auto look = begin(20 * kSecond);
  EXPECT_TRUE(look.wide);
  EXPECT_EQ(look.window.from, kBegin - kMinute);
}

TEST_F(FollowWindowTest, NothingBeforeTheBeginOfTheView) {
  FollowWindow narrow(kBegin - 3 * kSecond, kBegin, {});
  EXPECT_EQ(narrow.begin(kBegin, 0).window.from, kBegin - 3 * kSecond);
  EXPECT_FALSE(narrow.is_new(kBegin - 4 * kSecond, id(1)));
}

TEST_F(FollowWindowTest, AnEntryIsNewOnceInItsNumber) {
  begin(0);
  EXPECT_TRUE(window.is_new(kBegin, id(1)));
  EXPECT_TRUE(window.is_new(kBegin, id(1)));  // equal in all, and there twice
  EXPECT_TRUE(window.is_new(kBegin, id(2)));
  EXPECT_TRUE(window.is_new(kBegin + 1, id(1)));
  done(0);
  begin(kSecond);
  EXPECT_FALSE(window.is_new(kBegin, id(1)));
  EXPECT_FALSE(window.is_new(kBegin, id(1)));
  EXPECT_TRUE(window.is_new(kBegin, id(1)));
}

TEST_F(FollowWindowTest, WhatWasShownBeforeIsNotNew) {
  window.shown(kBegin - 1, id(1));
  begin(0);
  EXPECT_FALSE(window.is_new(kBegin - 1, id(1)));
  EXPECT_TRUE(window.is_new(kBegin - 1, id(1)));
}

TEST_F(FollowWindowTest, ALookThatFailsInTheMiddleShowsNothingTwice) {
  begin(0);
  EXPECT_TRUE(window.is_new(kBegin, id(1)));
  window.failed(kSecond);
  EXPECT_EQ(window.due(), 2 * kSecond);
  EXPECT_EQ(window.failing(3 * kSecond), 3 * kSecond);
  EXPECT_TRUE(begin(2 * kSecond).wide);
  EXPECT_FALSE(window.is_new(kBegin, id(1)));
  EXPECT_TRUE(window.is_new(kBegin + 1, id(2)));
  EXPECT_TRUE(done(2 * kSecond));
  EXPECT_EQ(window.failing(3 * kSecond), 0);
}

TEST_F(FollowWindowTest, PausesGrowWhileItFailsAndWhileNothingComes) {
  Duration now = 0;
  std::vector<Duration> pauses;
  for (int i = 0; i < 6; ++i) {
    begin(now);
    window.failed(now);
    pauses.push_back((window.due() - now) / kSecond);
    now = window.due();
  }
  EXPECT_EQ(pauses, (std::vector<Duration>{1, 2, 4, 8, 10, 10}));
  for (int i = 0; i < 10; ++i) begin(now), done(now), now = window.due();
  EXPECT_EQ(window.due() - (now - 2 * kSecond), 2 * kSecond);
  begin(now);
  window.is_new(kBegin + now, id(7));
  done(now);
  EXPECT_EQ(window.due() - now, kSecond);
}

TEST_F(FollowWindowTest, ASlowLokiIsAskedLessOften) {
  begin(0);
  done(3 * kSecond);
  EXPECT_EQ(window.due(), 6 * kSecond);
  begin(6 * kSecond);
  done(26 * kSecond);
  EXPECT_EQ(window.due(), 31 * kSecond);
}

TEST_F(FollowWindowTest, AfterAFailureTheWindowsStayForItsLength) {
  begin(0);
  done(0);
  begin(10 * kSecond);
  window.failed(10 * kSecond);
  const Duration back = 10 * kMinute;
  EXPECT_EQ(begin(back).window.from, kBegin - kMinute);
  EXPECT_TRUE(done(back));
  EXPECT_EQ(begin(back + 10 * kMinute).window.from, kBegin - kMinute);
  EXPECT_TRUE(done(back + 10 * kMinute));
  const auto later = begin(back + 12 * kMinute);
  EXPECT_EQ(later.window.from, kBegin + back + 10 * kMinute - kMinute);
}

TEST_F(FollowWindowTest, AnAnswerThatLacksWhatWasThereIsNotWhole) {
  begin(0);
  window.is_new(kBegin, id(1));
  EXPECT_TRUE(done(0));
  begin(kSecond);
  EXPECT_TRUE(window.is_new(kBegin + 1, id(2)));  // what it has is shown
  EXPECT_FALSE(done(kSecond));
  EXPECT_GT(window.failing(2 * kSecond), 0);
  EXPECT_EQ(begin(3 * kSecond).window.from, kBegin - kMinute);
  EXPECT_FALSE(window.is_new(kBegin, id(1)));
  EXPECT_FALSE(window.is_new(kBegin + 1, id(2)));
  EXPECT_TRUE(done(3 * kSecond));
}

TEST_F(FollowWindowTest, DeletedEntriesAreMissedForAWhileOnly) {
  begin(0);
  for (int i = 0; i < 10; ++i) window.is_new(kBegin + i, id(1));
  EXPECT_TRUE(done(0));
  begin(kSecond);
  EXPECT_FALSE(done(kSecond));
  begin(3 * kMinute);
  EXPECT_TRUE(done(3 * kMinute));
  begin(3 * kMinute + kSecond);
  EXPECT_TRUE(done(3 * kMinute + kSecond));
}

TEST_F(FollowWindowTest, MemoryIsBounded) {
  options.most = 1000;
  options.doubt = kSecond;
  FollowWindow small(kBegin - kMinute, kBegin, options);
  small.begin(kBegin, 0);
  EXPECT_FALSE(small.shortened());
  for (int i = 0; i < 50'000; ++i) EXPECT_TRUE(small.is_new(kBegin + i, id(static_cast<std::uint64_t>(i))));
  EXPECT_LT(small.known(), 20'000u);
  small.done(kBegin, 0);
  EXPECT_LE(small.known(), 1000u);
  ASSERT_TRUE(small.shortened());
  EXPECT_LT(*small.shortened(), kMinute);
  small.begin(kBegin + kSecond, kSecond);
  for (int i = 0; i < 50'000; ++i) EXPECT_FALSE(small.is_new(kBegin + i, id(static_cast<std::uint64_t>(i))));
  small.done(kBegin + kSecond, kSecond);
  for (Duration at = 2 * kSecond; at < 2 * kMinute; at += kSecond) small.begin(kBegin + at, at), small.done(kBegin + at, at);
  EXPECT_FALSE(small.shortened());
}

TEST_F(FollowWindowTest, AClockThatIsPutForwardAndBackHidesNothing) {
  begin(0);
  window.is_new(kBegin, id(1));
  done(0);
  window.begin(kBegin + 60 * kMinute, kSecond);
  window.is_new(kBegin, id(1));
  window.done(kBegin + 60 * kMinute, kSecond);
  const auto look = begin(2 * kSecond);
  EXPECT_TRUE(look.window.contains(kBegin + kSecond));
  EXPECT_TRUE(window.is_new(kBegin + kSecond, id(2)));
}

TEST_F(FollowWindowTest, WideLooksBeginLessThanSoonApart) {
  begin(0);
  done(kSecond);
  for (Duration at = 2 * kSecond; at < 9 * kSecond; at += kSecond) {
    EXPECT_FALSE(begin(at).wide) << at / kSecond;
    done(at);
  }
  EXPECT_TRUE(begin(10 * kSecond).wide);
}

TEST_F(FollowWindowTest, AQuickLookThatWouldMakeTheWideOneLateIsWide) {
  begin(0);
  done(0);
  EXPECT_FALSE(begin(2 * kSecond).wide);
  done(6 * kSecond);
  EXPECT_TRUE(begin(8 * kSecond).wide);
  done(9 * kSecond);  // the burst is over
  EXPECT_FALSE(begin(15 * kSecond).wide);
}

TEST_F(FollowWindowTest, BehindCountsUpAndHoldsUntilAWideLookIsSoonEnough) {
  begin(0);
  EXPECT_FALSE(window.behind(15 * kSecond));
  EXPECT_EQ(window.behind(16 * kSecond), 16 * kSecond);
  done(20 * kSecond);
  EXPECT_EQ(window.behind(20 * kSecond), 20 * kSecond);
  EXPECT_EQ(window.due(), 25 * kSecond);
  EXPECT_TRUE(begin(25 * kSecond).wide);
  done(26 * kSecond);  // this one was quick, but an entry may have waited since the begin of the first
  EXPECT_EQ(window.behind(26 * kSecond), 26 * kSecond);
  EXPECT_TRUE(begin(35 * kSecond).wide);
  done(36 * kSecond);
  EXPECT_FALSE(window.behind(36 * kSecond));
}

TEST_F(FollowWindowTest, BehindTheLatePartAnEntryWaitsSinceTheLastLook) {
  begin(0);
  done(0);
  begin(8 * kSecond);
  done(8 * kSecond);
  ASSERT_TRUE(begin(12 * kSecond).wide);
  window.is_new(kBegin - 30 * kSecond, id(1));
  window.read_so_far(13 * kSecond);
  EXPECT_EQ(window.behind(16 * kSecond), 16 * kSecond);
  window.is_new(kBegin + 4 * kSecond, id(2));
  window.read_so_far(14 * kSecond);
  EXPECT_FALSE(window.behind(16 * kSecond));
  EXPECT_EQ(window.behind(24 * kSecond), 16 * kSecond);
  done(22 * kSecond);
  EXPECT_FALSE(window.behind(22 * kSecond));
}

TEST_F(FollowWindowTest, AnOutageIsNotBehind) {
  begin(0);
  done(0);
  begin(12 * kSecond);
  window.failed(12 * kSecond);
  EXPECT_FALSE(window.behind(kMinute));
  begin(kMinute);
  done(kMinute);
  EXPECT_FALSE(window.behind(kMinute));
}

// A Loki that gives so many entries a second, behind which a burst comes at once; and each second an entry that is 40 s late.
struct Burst {
  Duration late;
  int entries;
  int speed;
  bool in_time;  // each late entry shows soon, and nothing else is said
};

class FollowWindowBurst : public ::testing::TestWithParam<Burst> {};

TEST_P(FollowWindowBurst, LateEntriesShowSoonOrItIsSaid) {
  const Burst& burst = GetParam();
  const Duration length = 3 * kMinute, each = kSecond / burst.speed;
  struct Entry {
    Timestamp time;
    Monotonic arrives;
    bool probe;
  };
  std::vector<Entry> entries;
  for (int i = 0; i < burst.entries; ++i)
    entries.push_back({kBegin + 20 * kSecond + i * kSecond / burst.entries, 20 * kSecond, false});
  for (Monotonic at = 0; at < length; at += kSecond) entries.push_back({kBegin + at - burst.late * 2 / 3, at, true});
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.time < b.time; });
  FollowWindow::Options options;
  options.late = burst.late;
  FollowWindow window(kBegin - kMinute, kBegin, options);
  Duration worst = 0, said = 0;
  for (Monotonic now = 0; now < length + kMinute; now = window.due()) {
    const auto look = window.begin(kBegin + now, now);
    Monotonic at = now + kSecond / 20;  // a request
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Entry& entry = entries[i];
      if (!look.window.contains(entry.time) || entry.arrives > at) continue;
      at += each;
      if (i % 1000 == 0) window.read_so_far(at);
      said = std::max(said, window.behind(at).value_or(0));
      if (window.is_new(entry.time, id(i)) && entry.probe) worst = std::max(worst, at - entry.arrives);
    }
    now = at;
    ASSERT_TRUE(window.done(kBegin + now, now));
    said = std::max(said, window.behind(now).value_or(0));
    ASSERT_GT(window.due(), now);
  }
  EXPECT_GT(worst, window.soon() / 2);
  if (burst.in_time) {
    EXPECT_LE(worst, window.soon());
    EXPECT_EQ(said, 0);
  } else {
    EXPECT_GT(worst, window.soon());
    EXPECT_GE(said, worst);
  }
  EXPECT_FALSE(window.behind(length + kMinute));
}

INSTANTIATE_TEST_SUITE_P(Tables, FollowWindowBurst,
                         ::testing::Values(Burst{kMinute, 1, 20'000, true}, Burst{kMinute, 20'000, 20'000, true},
                                           Burst{kMinute, 100'000, 20'000, true}, Burst{kMinute, 100'000, 5'000, false},
                                           Burst{kMinute, 240'000, 100'000, true}, Burst{kMinute, 240'000, 12'000, false},
                                           Burst{20 * kSecond, 40'000, 40'000, true}, Burst{20 * kSecond, 40'000, 5'000, false}));

// A Loki with entries that arrive at random times, some of them late; requests that fail, before an answer and in the middle; and
// restarts behind which it answers with what it has read of its log so far.
class Model {
 public:
  struct Entry {
    Timestamp arrives = 0, time = 0;
    std::uint64_t number = 0;
    Timestamp hidden_until = 0;
  };
  explicit Model(unsigned seed) : random_(seed) {}

  void run() {
    const Duration length = 12 * kMinute;
    const Duration outage_begin = 2 * kMinute + below(2 * kMinute), outage = below(2) == 0 ? 0 : below(3 * kMinute);
    const Duration replay = below(100 * kSecond);
    for (Duration at = 0; at < length; at += kSecond / 4 + below(below(10) == 0 ? 20 * kSecond : kSecond)) {
      Entry entry = {kBegin + at, kBegin + at - below(2 * kSecond), entries_.size() / (1 + below(2)), 0};
      if (below(4) == 0) entry.time = kBegin + at - below(options_.late);
      if (below(20) == 0) entry.time = kBegin + at + below(5 * kMinute);
      if (at >= outage_begin && at < outage_begin + outage) {
        entry.arrives = kBegin + outage_begin + outage + below(outage + 1);  // senders wait, too
        entry.time = kBegin + at;
      } else if (at < outage_begin) {
        entry.hidden_until = kBegin + outage_begin + outage + below(replay + 1);
      }
      entries_.push_back(entry);
    }
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.time < b.time; });
    FollowWindow window(kBegin - kMinute, kBegin, options_);
    Monotonic now = 0;
    while (now < length + 10 * kMinute) {
      const auto look = window.begin(kBegin + now, now);
      const bool down = now >= outage_begin && now < outage_begin + outage;
      const bool breaks = below(15) == 0;
      bool failed = down;
      for (const Entry& entry : entries_) {
        if (failed || !look.window.contains(entry.time)) continue;
        if (breaks && below(20) == 0) failed = true;
        if (below(10) == 0) now += below(kSecond / 4);  // pages take their time; what arrives meanwhile is seen or not
        const bool restarted = now >= outage_begin + outage;
        if (entry.arrives > kBegin + now || (restarted && entry.hidden_until > kBegin + now)) continue;
        if (window.is_new(entry.time, id(entry.number))) ++shown_[{entry.time, entry.number}];
      }
      if (failed) {
        window.failed(now);
      } else {
        window.done(kBegin + now, now);
      }
      most_known_ = std::max(most_known_, window.known());
      ASSERT_GT(window.due(), now);
      now = window.due();
    }
    std::map<std::pair<Timestamp, std::uint64_t>, int> expected;
    for (const Entry& entry : entries_) ++expected[{entry.time, entry.number}];
    for (const auto& [key, count] : expected) {
      ASSERT_EQ(shown_[key], count) << "the entry at " << (key.first - kBegin) / 1e9 << " s; outage from "
                                    << static_cast<double>(outage_begin) / 1e9 << " s for " << static_cast<double>(outage) / 1e9;
    }
    ASSERT_EQ(shown_.size(), expected.size());
    ASSERT_LT(most_known_, entries_.size());
  }

 private:
  std::int64_t below(std::int64_t bound) {
    return bound <= 0 ? 0 : std::uniform_int_distribution<std::int64_t>(0, bound - 1)(random_);
  }

  FollowWindow::Options options_;
  std::mt19937_64 random_;
  std::vector<Entry> entries_;
  std::map<std::pair<Timestamp, std::uint64_t>, int> shown_;
  std::size_t most_known_ = 0;
};

TEST(FollowWindowProperty, EveryEntryOnceWhateverHappens) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Model(seed).run();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace weir::loki
