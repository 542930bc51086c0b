#include "delivery/delivery_lane.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace weir::delivery {
namespace {

using record::Source;

std::vector<std::uint64_t> reported(DeliveryLane& lane) {
  std::vector<std::uint64_t> ends;
  lane.take_settled([&](const Source& source) { ends.push_back(source.end); });
  return ends;
}

using Ends = std::vector<std::uint64_t>;

TEST(DeliveryLane, MovesAsFarAsEverythingIsSettled) {
  DeliveryLane lane;
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t end = 10; end <= 50; end += 10) numbers.push_back(lane.enter(Source::in_file(1, 1, 0, end), false));
  EXPECT_FALSE(lane.settle(numbers[1]));
  EXPECT_EQ(reported(lane), Ends{});
  EXPECT_TRUE(lane.settle(numbers[0]));
  EXPECT_EQ(reported(lane), Ends{20});  // the last says all
  EXPECT_FALSE(lane.settle(numbers[0]));
  EXPECT_FALSE(lane.settle(999));
  EXPECT_FALSE(lane.settle(numbers[4]));
  EXPECT_EQ(lane.front().end, 30U);
  EXPECT_EQ(lane.source_of(numbers[3])->end, 40U);
  EXPECT_EQ(lane.source_of(numbers[1]), nullptr);
}

TEST(DeliveryLane, SubstreamsAndBarriersKeepTheirWord) {
  DeliveryLane lane;
  std::vector<std::uint64_t> numbers;
  const auto enter = [&](std::uint8_t substream, std::uint64_t end, bool barrier = false) {
    numbers.push_back(lane.enter(Source::in_file(1, 1, substream, end), barrier));
  };
  enter(0, 10);
  enter(1, 20);
  enter(0, 30);
  enter(0, 40, true);
  enter(0, 5);
  enter(1, 6);
  enter(0, 7);
  for (std::size_t i = numbers.size(); i-- > 0;) lane.settle(numbers[i]);
  EXPECT_EQ(reported(lane), (Ends{20, 30, 40, 6, 7}));
  EXPECT_TRUE(lane.empty());
}

Ends reported_ahead(DeliveryLane& lane) {
  Ends ends;
  lane.take_ahead([&](const Source& source) { ends.push_back(source.end); });
  return ends;
}

TEST(DeliveryLane, ASubstreamGoesAheadOfTheOther) {
  DeliveryLane lane;
  const auto enter = [&](std::uint32_t file, std::uint8_t substream, std::uint64_t end, bool barrier = false) {
    return lane.enter(Source::in_file(1, file, substream, end), barrier);
  };
  const auto error = enter(1, 1, 10);
  const auto first = enter(1, 0, 20), second = enter(1, 0, 30);
  lane.settle(enter(1, 0, 31, true));
  const auto third = enter(2, 0, 5), fourth = enter(2, 0, 9);
  lane.settle(second);
  EXPECT_EQ(reported_ahead(lane), Ends{});  // the first one is missing
  lane.settle(third);
  lane.settle(first);
  EXPECT_EQ(reported(lane), Ends{});
  EXPECT_EQ(reported_ahead(lane), (Ends{30, 5}));
  EXPECT_EQ(reported_ahead(lane), Ends{});
  lane.settle(fourth);
  EXPECT_EQ(reported_ahead(lane), Ends{9});
  EXPECT_TRUE(lane.settle(error));
  EXPECT_EQ(reported(lane), (Ends{10, 30, 31, 9}));
  EXPECT_EQ(reported_ahead(lane), Ends{});
  EXPECT_TRUE(lane.empty());
}

TEST(DeliveryLane, TheLatestCanBeTakenBack) {
  DeliveryLane lane;
  const auto first = lane.enter(Source::in_file(1, 1, 0, 10), false);
  lane.enter(Source::in_file(1, 1, 0, 20), false);
  lane.undo();
  lane.settle(lane.enter(Source::in_file(1, 1, 0, 30), false));
  lane.settle(first);
  EXPECT_EQ(reported(lane), Ends{30});
}

// One record waits for hours; millions of others of its log pass.
TEST(DeliveryLane, WhatIsSettledBehindOneThatWaitsCostsNothing) {
  DeliveryLane lane;
  const auto waits = lane.enter(Source::in_file(1, 1, 1, 1), false);
  std::size_t most = 0;
  for (std::uint64_t end = 2; end < 300'000; ++end) {
    lane.settle(lane.enter(Source::in_file(1, 1, 0, end), false));
    most = std::max(most, lane.size());
  }
  EXPECT_LT(most, 2000U);
  lane.settle(waits);
  EXPECT_EQ(reported(lane), (Ends{1, 299'999}));
}

TEST(DeliveryLane, RandomOrderAgreesWithAModel) {
  for (unsigned seed = 1; seed < 30; ++seed) {
    std::mt19937 random(seed);
    DeliveryLane lane;
    std::map<std::uint64_t, bool> model;  // number to settled
    std::map<std::uint64_t, std::uint64_t> end_of;
    std::vector<std::uint64_t> open;
    std::uint64_t reached = 0, end = 0;
    for (int i = 0; i < 8000; ++i) {
      if (open.size() < 40 && random() % 2 == 0) {
        const auto number = lane.enter(Source::in_file(1, 1, 0, ++end), false);
        model[number] = false;
        end_of[number] = end;
        open.push_back(number);
      } else if (!open.empty()) {
        // The oldest one is mostly left alone.
        std::size_t at = random() % open.size();
        if (at == 0 && random() % 200 != 0) at = open.size() - 1;
        lane.settle(open[at]);
        model[open[at]] = true;
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      }
      for (const std::uint64_t place : reported(lane)) reached = std::max(reached, place);
      std::uint64_t want = 0;
      while (!model.empty() && model.begin()->second) {
        want = end_of[model.begin()->first];
        model.erase(model.begin());
      }
      if (want != 0) {
        ASSERT_EQ(reached, want) << seed;
      }
    }
  }
}

TEST(DeliveryLane, SubstreamsAloneAgreeWithAModel) {
  for (unsigned seed = 1; seed < 30; ++seed) {
    std::mt19937 random(seed);
    DeliveryLane lane;
    struct Record {
      std::uint64_t number, end;
      std::size_t substream;
    };
    std::map<std::uint64_t, bool> model[2];  // end to settled
    std::vector<Record> open;
    std::uint64_t reached[2] = {}, end = 0;
    for (int i = 0; i < 8000; ++i) {
      if (open.size() < 40 && random() % 2 == 0) {
        const std::size_t substream = random() % 4 == 0 ? 1 : 0;
        open.push_back({lane.enter(Source::in_file(1, 1, static_cast<std::uint8_t>(substream), ++end), false), end, substream});
        model[substream][end] = false;
      } else if (!open.empty()) {
        std::size_t at = random() % open.size();
        if (at == 0 && random() % 200 != 0) at = open.size() - 1;
        lane.settle(open[at].number);
        model[open[at].substream][open[at].end] = true;
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (random() % 3 == 0) continue;
      const auto report = [&](const Source& source) {
        reached[source.substream] = std::max(reached[source.substream], source.end);
      };
      lane.take_settled(report);
      lane.take_ahead(report);
      for (std::size_t substream = 0; substream < 2; ++substream) {
        auto& known = model[substream];
        std::uint64_t want = 0;
        while (!known.empty() && known.begin()->second) {
          want = known.begin()->first;
          known.erase(known.begin());
        }
        if (want != 0) {
          ASSERT_EQ(reached[substream], want) << seed;
        }
      }
    }
  }
}

}  // namespace
}  // namespace weir::delivery
