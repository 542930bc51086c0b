#include "metrics/registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

namespace weir::metrics {
namespace {

constexpr Metric kIn = counter("weir_test_input_records_total", "records", "Records that came.", Account::in);
constexpr Metric kDropped =
    counter("weir_test_dropped_records_total", "records", "Records that went no further.", Account::dropped, "reason");
constexpr Metric kFlying = gauge("weir_test_flying_records", "records", "Records that fly.", Account::in_flight);
constexpr Metric kWorst = gauge("weir_test_worst_bytes", "bytes", "Bytes of the worst.", Account::none, "pod,container", 3);
constexpr Metric kTable = gauge("weir_test_table_bytes", "bytes", "Bytes of a table.");
constexpr Metric kAge = gauge("weir_test_oldest_age_seconds", "seconds", "Age of the oldest.");
constexpr Metric kShare = gauge("weir_test_dropped_ratio", "ratio", "Share that is dropped.");
constexpr Metric kLeft = smallest(gauge("weir_test_time_left_seconds", "seconds", "Time that is left."));

struct Stage {
  explicit Stage(Registry* registry) : block(registry) {}
  Block block;
  Counter in = block.counter(kIn);
  Gauge flying = block.gauge(kFlying);
  Gauge table = block.gauge(kTable);
  Family dropped = block.family(kDropped);
};

Sample of(const Registry& registry, const Metric& metric, std::string_view label_value = {}) {
  for (Sample& sample : registry.read())
    if (sample.metric->name == metric.name && sample.label_value == label_value) return sample;
  return {};
}

TEST(Registry, ReadsWhatIsDeclaredBeforeAnythingIsCounted) {
  Registry registry;
  const Stage stage(&registry);
  ASSERT_EQ(registry.read().size(), 3U);
  EXPECT_EQ(of(registry, kIn).metric, &kIn);
  EXPECT_EQ(of(registry, kIn).value, 0U);
}

TEST(Registry, AGaugeGoesWithItsStage) {
  Registry registry;
  {
    Stage stage(&registry);
    stage.flying.set(2);
    stage.table.set(7);
    EXPECT_EQ(of(registry, kTable).value, 7U);
  }
  EXPECT_EQ(of(registry, kTable).metric, nullptr);
  EXPECT_EQ(of(registry, kFlying).value, 0U);
  EXPECT_EQ(of(registry, kFlying).left, 2U);
}

TEST(Registry, AddsUpTheBlocksOfOneDeclaration) {
  Registry registry;
  Stage one(&registry), other(&registry);
  one.in.add(2);
  one.in.add(3);
  other.in.reach(10);
  one.flying.set(1);
  other.flying.set(2);
  EXPECT_EQ(one.in.value(), 5U);
  EXPECT_EQ(of(registry, kIn).value, 15U);
  EXPECT_EQ(of(registry, kFlying).value, 3U);
}

TEST(Registry, DoesNotAddUpAgesTimesAndShares) {
  Registry registry;
  const auto block_with = [&](std::uint64_t age, std::uint64_t share, std::uint64_t left) {
    auto block = std::make_unique<Block>(&registry);
    block->gauge(kAge).set(age);
    block->gauge(kShare).set(share);
    block->gauge(kLeft).set(left);
    return block;
  };
  auto one = block_with(200, 700, kInfinite);
  EXPECT_EQ(of(registry, kLeft).value, kInfinite);
  auto other = block_with(300, 600, 40);
  auto third = block_with(100, 0, kInfinite);
  EXPECT_EQ(of(registry, kAge).value, 300U);
  EXPECT_EQ(of(registry, kShare).value, 700U);
  EXPECT_EQ(of(registry, kLeft).value, 40U);
  // They go with their stages, and leave no smallest value behind.
  other.reset();
  EXPECT_EQ(of(registry, kAge).value, 200U);
  EXPECT_EQ(of(registry, kLeft).value, kInfinite);
  one.reset();
  third.reset();
  EXPECT_EQ(of(registry, kAge).value, 0U);
  EXPECT_EQ(of(registry, kLeft).metric, nullptr);
}

TEST(Registry, AFamilyHasAValueForEachReason) {
  Registry registry;
  Stage stage(&registry);
  stage.dropped.at("old").add(2);
  stage.dropped.at("odd").add(1);
  stage.dropped.at("old").add(1);
  EXPECT_EQ(of(registry, kDropped, "old").value, 3U);
  EXPECT_EQ(of(registry, kDropped, "odd").value, 1U);
}

TEST(Registry, AFamilyIsBounded) {
  Registry registry;
  Stage stage(&registry);
  for (int i = 0; i < 100; ++i) stage.dropped.at(std::to_string(i)).add(1);
  std::uint64_t values = 0, sum = 0;
  for (const Sample& sample : registry.read()) {
    if (sample.metric != &kDropped) continue;
    ++values;
    sum += sample.value;
  }
  EXPECT_EQ(values, kDropped.most);
  EXPECT_EQ(sum, 100U);
  EXPECT_EQ(of(registry, kDropped, Family::kOther).value, 100 - kDropped.most + 1);
  stage.dropped.at("7").add(1);
  EXPECT_EQ(of(registry, kDropped, "7").value, 2U);
}

TEST(Registry, KeepsTheTotalsOfAStageThatIsReplaced) {
  Registry registry;
  for (int generation = 1; generation <= 3; ++generation) {
    Stage stage(&registry);
    stage.in.add(10);
    stage.dropped.at("old").add(1);
    stage.flying.set(2);
    stage.table.set(512);
    EXPECT_EQ(of(registry, kIn).value, 10U * generation);
    EXPECT_EQ(of(registry, kTable).value, 512U);
  }
  EXPECT_EQ(of(registry, kIn).value, 30U);
  EXPECT_EQ(of(registry, kDropped, "old").value, 3U);
  EXPECT_EQ(of(registry, kTable).value, 0U);
  EXPECT_EQ(of(registry, kTable).left, 0U);
  // What was in flight in those that went is part of the books.
  EXPECT_EQ(of(registry, kFlying).value, 0U);
  EXPECT_EQ(of(registry, kFlying).left, 6U);
}

TEST(Registry, ABlockCountsWithoutOne) {
  Stage stage(nullptr);
  stage.in.add(3);
  stage.dropped.at("old").add(1);
  std::string text;
  stage.block.each([&](const Metric& metric, std::string_view label_value, std::uint64_t value) {
    text += std::string(metric.name) + "{" + std::string(label_value) + "} " + std::to_string(value) + "\n";
  });
  EXPECT_EQ(text,
            "weir_test_input_records_total{} 3\nweir_test_flying_records{} 0\nweir_test_table_bytes{} "
            "0\nweir_test_dropped_records_total{old} 1\n");
}

TEST(Registry, ATableIsReplacedAsAWholeAndGoesWithItsStage) {
  Registry registry;
  {
    Block block(&registry);
    Table worst = block.table(kWorst);
    EXPECT_EQ(of(registry, kWorst,
                 "a\x1f"
                 "b")
                  .metric,
              nullptr);
    worst.replace({{{"a", "b"}, 5}, {{"c", ""}, 7}});
    EXPECT_EQ(of(registry, kWorst,
                 "a\x1f"
                 "b")
                  .value,
              5U);
    EXPECT_EQ(of(registry, kWorst, "c\x1f").value, 7U);
    worst.replace({{{"1", ""}, 1}, {{"2", ""}, 2}, {{"3", ""}, 3}, {{"4", ""}, 4}});
    EXPECT_EQ(of(registry, kWorst,
                 "a\x1f"
                 "b")
                  .metric,
              nullptr);
    EXPECT_EQ(of(registry, kWorst, "3\x1f").value, 3U);
    EXPECT_EQ(of(registry, kWorst, "4\x1f").metric, nullptr) << "it is bounded";
  }
  EXPECT_TRUE(registry.read().empty());
  Block unseen(nullptr);
  unseen.table(kWorst).replace({{{"a", "b"}, 5}});
}

using Troubles = std::vector<std::pair<Trouble, std::string>>;

TEST(Registry, ATroubleIsThereUntilItIsClearedOrItsStageGoes) {
  Registry registry;
  TroubleFlag room(&registry, Trouble::room);
  EXPECT_TRUE(registry.troubles().empty());
  room.clear();
  room.raise("the spool is full");
  {
    TroubleFlag delivery(&registry, Trouble::delivery);
    delivery.raise("nobody answers");
    delivery.raise("nobody answers");
    delivery.raise("503");
    EXPECT_EQ(registry.troubles(), (Troubles{{Trouble::room, "the spool is full"}, {Trouble::delivery, "503"}}));
  }
  EXPECT_EQ(registry.troubles(), (Troubles{{Trouble::room, "the spool is full"}}));
  room.clear();
  EXPECT_TRUE(registry.troubles().empty());
  TroubleFlag unseen(nullptr, Trouble::room);
  unseen.raise("nobody looks");
  unseen.clear();
}

// Under the thread sanitizer, and elsewhere for the sums.
TEST(Registry, IsReadWhileOthersCountAndComeAndGo) {
  Registry registry;
  constexpr std::uint64_t kRounds = 200, kBatches = 20;
  std::atomic<bool> done = false;
  std::thread reader([&] {
    std::uint64_t before = 0;
    while (!done) {
      const std::uint64_t in = of(registry, kIn).value;
      EXPECT_GE(in, before);  // also while a stage goes
      before = in;
    }
  });
  const auto count = [&](const std::string& name) {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      Stage stage(&registry);
      for (std::uint64_t batch = 0; batch < kBatches; ++batch) {
        stage.in.add(1);
        stage.dropped.at(name + std::to_string(batch % 4)).add(1);
      }
    }
  };
  std::thread one(count, "a"), other(count, "b");
  one.join();
  other.join();
  done = true;
  reader.join();
  EXPECT_EQ(of(registry, kIn).value, 2 * kRounds * kBatches);
}

}  // namespace
}  // namespace weir::metrics
