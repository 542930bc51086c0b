#include "metrics/driver.h"

#include "support/fake_clock.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace weir::metrics {
namespace {

using base::kSecond;

constexpr Metric kIn = counter("weir_test_input_records_total", "records", "Records that came.", Account::in);
constexpr Metric kOut = counter("weir_test_output_records_total", "records", "Records that went on.", Account::out);
constexpr Metric kDropped =
    counter("weir_test_dropped_records_total", "records", "Records that went no further.", Account::dropped, "reason");
constexpr Metric kRequests = counter("weir_test_sent_requests_total", "requests", "Requests that were sent.");
constexpr Metric kSize = gauge("weir_test_size_bytes", "bytes", "Bytes of something.");
constexpr std::array<std::uint64_t, 2> kBounds = {10, 100};
constexpr Metric kTimes = histogram("weir_test_took_seconds", "seconds", "How long it took.", kBounds);

constexpr base::Duration kPatience = 10 * kSecond;  // longer than any test takes

std::optional<Sample> find(const Registry& registry, std::string_view name, std::string_view label_value = {}) {
  for (Sample& sample : registry.read())
    if (sample.metric->name == name && sample.label_value == label_value) return sample;
  return std::nullopt;
}
std::uint64_t value(const Registry& registry, const Metric& metric, std::string_view label_value = {}) {
  const auto sample = find(registry, metric.name, label_value);
  return sample ? sample->value : ~std::uint64_t{0};
}
std::uint64_t blocked(const Registry& registry, std::string_view on) {
  return find(registry, "weir_blocked_seconds_total", on).value_or(Sample{}).value;
}

struct Stage {
  Stage(Registry& registry, Driver* driver, std::mutex* writers = nullptr) : block(&registry, driver, writers) {}
  Block block;
  Counter in = block.counter(kIn), out = block.counter(kOut), requests = block.counter(kRequests);
  Family dropped = block.family(kDropped);
};

class DriverTest : public testing::Test {
 protected:
  DriverTest() { EXPECT_TRUE(wake.open()); }
  base::Monotonic now() const { return clock.monotonic(); }
  bool is_rung() const {
    pollfd rung = {wake.fd(), POLLIN, 0};
    return ::poll(&rung, 1, 0) > 0;
  }
  Registry::DriverState state() const { return registry.drivers().front(); }

  test::FakeClock clock;
  Registry registry;
  base::Wake wake;
};

TEST_F(DriverTest, ABlockOfNoDriverShowsItsCells) {
  Stage stage(registry, nullptr);
  stage.in.add(3);
  EXPECT_EQ(value(registry, kIn), 3U);
  EXPECT_TRUE(registry.ask(0)) << "nobody has to answer";
}

TEST_F(DriverTest, ReadersSeeTheBooksAsTheyWereBetweenTwoBatches) {
  Driver driver(registry, clock, "chain");
  Stage stage(registry, &driver);
  driver.begin(wake);
  stage.in.add(5);
  stage.requests.add(1);
  EXPECT_EQ(value(registry, kIn), 0U) << "the batch is half entered";
  EXPECT_EQ(value(registry, kRequests), 1U) << "what is not in the balance is shown as it is";
  stage.out.add(5);
  driver.turn(now());  // the first turn copies
  EXPECT_EQ(value(registry, kIn), 5U);
  EXPECT_EQ(value(registry, kOut), 5U);
}

TEST_F(DriverTest, ACopyIsMadeOnceASecondOrWhenSomebodyAsks) {
  Driver driver(registry, clock, "chain");
  Stage stage(registry, &driver);
  driver.begin(wake);
  driver.turn(now());
  const auto count = [&](base::Duration later) {
    clock.advance(later);
    stage.in.add(1);
    driver.turn(now());
    return value(registry, kIn);
  };
  EXPECT_EQ(count(kSecond / 2), 0U);
  EXPECT_EQ(count(kSecond / 2), 2U);
  EXPECT_EQ(count(kSecond / 2), 2U);
  EXPECT_FALSE(is_rung());
  EXPECT_FALSE(registry.ask(0));
  EXPECT_TRUE(is_rung());
  wake.hear();
  EXPECT_EQ(value(registry, kIn), 2U);
  EXPECT_EQ(count(0), 4U);
  EXPECT_EQ(count(0), 4U) << "it was answered";
  EXPECT_FALSE(is_rung());
}

TEST_F(DriverTest, KeepMakesACopyAndAnswersNobody) {
  Driver driver(registry, clock, "chain");
  Stage stage(registry, &driver);
  int collected = 0;
  driver.on_ask([&] { ++collected; });
  driver.begin(wake);
  driver.turn(now());
  EXPECT_FALSE(registry.ask(0));
  stage.in.add(1);
  driver.keep(now());
  EXPECT_EQ(value(registry, kIn), 0U);
  clock.advance(kSecond);
  driver.keep(now());
  EXPECT_EQ(value(registry, kIn), 1U);
  EXPECT_EQ(collected, 0);
  EXPECT_EQ(state().copied, 0);
  driver.turn(now());
  EXPECT_EQ(collected, 1);
}

TEST_F(DriverTest, WhoeverAsksGetsWhatIsCollectedAndOnlyThen) {
  Driver driver(registry, clock, "chain");
  Block block(&registry, &driver);
  Gauge size = block.gauge(kSize);
  driver.on_ask([&] { size.set(size.value() + 1); });
  driver.begin(wake);
  for (int i = 0; i < 5; ++i) {
    clock.advance(kSecond);
    driver.turn(now());
  }
  EXPECT_EQ(value(registry, kSize), 0U);
  EXPECT_FALSE(registry.ask(0));
  driver.turn(now());
  driver.turn(now());
  EXPECT_EQ(value(registry, kSize), 1U);
}

TEST_F(DriverTest, ABlockThatIsMadeInTheMiddleOfABatchShowsNothingOfIt) {
  Driver driver(registry, clock, "chain");
  Stage first(registry, &driver);
  driver.begin(wake);
  driver.turn(now());
  first.in.add(1);
  Stage second(registry, &driver);
  second.out.add(1);
  second.dropped.at("late").add(1);
  EXPECT_EQ(value(registry, kIn), 0U);
  EXPECT_EQ(value(registry, kOut), 0U);
  EXPECT_EQ(value(registry, kDropped, "late"), 0U);
  clock.advance(kSecond);
  driver.turn(now());
  EXPECT_EQ(value(registry, kIn), 1U);
  EXPECT_EQ(value(registry, kOut), 1U);
  EXPECT_EQ(value(registry, kDropped, "late"), 1U);
}

TEST_F(DriverTest, TheEndIsALastCopyThatStays) {
  Driver driver(registry, clock, "chain");
  {
    Stage stage(registry, &driver);
    driver.begin(wake);
    stage.in.add(1);
    driver.end();
    EXPECT_EQ(value(registry, kIn), 1U);
    EXPECT_TRUE(registry.ask(0)) << "it need not answer any more";
    EXPECT_FALSE(is_rung());
    stage.in.add(1);
    EXPECT_EQ(value(registry, kIn), 1U);
    driver.end();
    EXPECT_EQ(value(registry, kIn), 2U);
    stage.in.add(1);
  }
  EXPECT_EQ(value(registry, kIn), 3U) << "in the totals";
}

TEST_F(DriverTest, EachDriverCopiesItsOwnBlocks) {
  Driver chain(registry, clock, "chain"), drain(registry, clock, "drain");
  Stage above(registry, &chain), below(registry, &drain);
  chain.begin(wake);
  drain.begin(wake);
  above.in.add(1);
  below.in.add(2);
  chain.turn(now());
  EXPECT_EQ(value(registry, kIn), 1U);
  EXPECT_FALSE(registry.ask(0));
  chain.turn(now());
  EXPECT_FALSE(registry.ask(0)) << "the other has not answered";
  drain.turn(now());
  EXPECT_EQ(value(registry, kIn), 3U);
}

TEST_F(DriverTest, NamesAreUnique) {
  std::optional<Driver> first(std::in_place, registry, clock, "chain");
  Driver second(registry, clock, "chain");
  EXPECT_EQ(first->name(), "chain");
  EXPECT_EQ(second.name(), "chain 2");
  first.reset();
  const Driver third(registry, clock, "chain");
  EXPECT_EQ(third.name(), "chain");
}

TEST_F(DriverTest, StatesAndWaits) {
  using State = Registry::DriverState;
  Driver driver(registry, clock, "chain");
  EXPECT_EQ(state().state, State::ended) << "it has not begun";
  driver.begin(wake);
  clock.advance(3 * kSecond);
  EXPECT_EQ(state().state, State::working);
  EXPECT_EQ(state().since, 3 * kSecond);
  driver.turn(now());
  EXPECT_EQ(state().since, 0);
  {
    const Wait wait(&driver, On::room);
    clock.advance(5 * kSecond);
    EXPECT_EQ(state().state, State::waiting);
    EXPECT_EQ(state().waits_for, "room");
    EXPECT_EQ(state().since, 5 * kSecond);
    EXPECT_EQ(state().copied, 5 * kSecond);
    EXPECT_EQ(blocked(registry, "room"), 5 * kSecond) << "while it lasts";
    {
      const Wait inner(&driver, On::disk);
      clock.advance(2 * kSecond);
      EXPECT_EQ(state().waits_for, "disk");
      EXPECT_EQ(state().since, 2 * kSecond);
      EXPECT_EQ(blocked(registry, "disk"), 2 * kSecond);
      EXPECT_EQ(blocked(registry, "room"), 5 * kSecond);
    }
    clock.advance(kSecond);
    EXPECT_EQ(state().waits_for, "room");
    EXPECT_EQ(state().since, 8 * kSecond) << "one within it does not end it";
    driver.answer(now());
    EXPECT_EQ(state().copied, 0);
    EXPECT_EQ(state().since, 8 * kSecond) << "nor does an answer";
    EXPECT_EQ(blocked(registry, "room"), 6 * kSecond);
  }
  EXPECT_EQ(state().state, State::working);
  EXPECT_EQ(state().since, 0);
  EXPECT_EQ(blocked(registry, "room"), 6 * kSecond);
  EXPECT_EQ(blocked(registry, "disk"), 2 * kSecond);
  EXPECT_EQ(blocked(registry, "loki"), 0U);
  EXPECT_FALSE(find(registry, "weir_blocked_seconds_total", "input")) << "an idle chain is not blocked";
  driver.end();
  EXPECT_EQ(state().state, State::ended);
}

TEST_F(DriverTest, WhatMostlyIsWorkCountsWhereItTakesLong) {
  Driver driver(registry, clock, "chain");
  driver.begin(wake);
  {
    const Wait wait(&driver, On::disk, kLongRead);
    clock.advance(kLongRead - 1);
    EXPECT_EQ(state().waits_for, "disk");
    EXPECT_EQ(blocked(registry, "disk"), 0U);
  }
  EXPECT_EQ(blocked(registry, "disk"), 0U);
  {
    const Wait wait(&driver, On::disk, kLongRead);
    clock.advance(kLongRead);
    EXPECT_EQ(blocked(registry, "disk"), static_cast<std::uint64_t>(kLongRead));
  }
  EXPECT_EQ(blocked(registry, "disk"), static_cast<std::uint64_t>(kLongRead));
}

TEST_F(DriverTest, WhatADriverWaitedForStaysInTheTotals) {
  {
    Driver driver(registry, clock, "chain");
    driver.begin(wake);
    const Wait wait(&driver, On::loki);
    clock.advance(7 * kSecond);
  }
  EXPECT_EQ(blocked(registry, "loki"), 7 * kSecond);
  EXPECT_TRUE(registry.drivers().empty());
  EXPECT_FALSE(find(registry, "weir_snapshot_age_seconds"));
}

TEST_F(DriverTest, TheAgeOfTheOldestCopyIsShown) {
  Driver chain(registry, clock, "chain"), drain(registry, clock, "drain");
  chain.begin(wake);
  drain.begin(wake);
  clock.advance(40 * kSecond);
  drain.turn(now());
  EXPECT_EQ(find(registry, "weir_snapshot_age_seconds")->value, 40U * kSecond);
  chain.end();
  EXPECT_EQ(find(registry, "weir_snapshot_age_seconds")->value, 0U);
}

TEST_F(DriverTest, NoDriverIsNoTrouble) { const Wait wait(nullptr, On::disk); }

TEST_F(DriverTest, AHistogramCountsBySize) {
  Block block(&registry);
  Histogram times = block.histogram(kTimes);
  for (const std::uint64_t time : {1, 10, 11, 100, 101}) times.add(time);
  EXPECT_EQ(value(registry, kTimes, "10"), 2U);
  EXPECT_EQ(value(registry, kTimes, "100"), 2U);
  EXPECT_EQ(value(registry, kTimes, "+Inf"), 1U);
  EXPECT_EQ(value(registry, kTimes, "sum"), 223U);
  const std::array<std::uint64_t, 3> counted = {4, 5, 6};
  times.reach(counted, 1000);
  EXPECT_EQ(value(registry, kTimes, "10"), 4U);
  EXPECT_EQ(value(registry, kTimes, "+Inf"), 6U);
  EXPECT_EQ(value(registry, kTimes, "sum"), 1000U);
}

// The books of one stage whose block two threads write, copied by the driver of one of them, while others read and ask.
TEST_F(DriverTest, TheBooksBalanceInEveryCopy) {
  class Books {
   public:
    Books(Registry& registry, Driver* driver) : block(&registry, driver), shared(&registry, driver, &mutex) {}
    std::mutex mutex;
    Block block, shared;
    Counter in = block.counter(kIn), out = shared.counter(kOut);
    Counter late = shared.family(kDropped).at("late");
  };
  base::Clock& real = base::Clock::system();
  std::optional<Driver> driver(std::in_place, registry, real, "chain");
  std::optional<Books> books(std::in_place, registry, &*driver);
  std::atomic<std::uint64_t> given = 0;
  std::atomic<bool> ended = false, done = false;
  constexpr std::uint64_t kBatches = 20'000;
  std::thread other([&] {  // takes what was given
    std::uint64_t taken = 0;
    while (!ended || taken < given) {
      const std::lock_guard lock(books->mutex);
      for (; taken < given; ++taken) taken % 3 == 0 ? books->late.add(1) : books->out.add(1);
    }
  });
  std::thread reader([&] {
    std::uint64_t before = 0;
    while (!done) {
      registry.ask(kPatience);
      const auto samples = registry.read();
      std::uint64_t in = 0, known = 0;
      for (const Sample& sample : samples) {
        if (sample.metric == &kIn) in = sample.value;
        if (sample.metric == &kOut || sample.metric == &kDropped) known += sample.value;
      }
      EXPECT_GE(in, before);
      EXPECT_GE(in, known) << "what is on its way between the two threads is not in the books of this test";
      before = in;
      static_cast<void>(registry.drivers());
    }
  });
  driver->begin(wake);
  for (std::uint64_t batch = 0; batch < kBatches; ++batch) {
    books->in.add(1);
    ++given;
    driver->turn(real.monotonic());
    const Wait wait(&*driver, batch % 2 == 0 ? On::disk : On::input);
  }
  ended = true;
  other.join();
  driver->end();
  EXPECT_EQ(value(registry, kIn), kBatches);
  EXPECT_EQ(value(registry, kOut) + value(registry, kDropped, "late"), kBatches);
  books.reset();
  driver.reset();
  done = true;
  reader.join();
}

// A wait that others look at never shrinks.
TEST_F(DriverTest, BlockedTimeOnlyGrows) {
  base::Clock& real = base::Clock::system();
  Driver driver(registry, real, "chain");
  driver.begin(wake);
  std::atomic<bool> done = false;
  std::thread reader([&] {
    std::uint64_t before = 0;
    while (!done) {
      const std::uint64_t now = blocked(registry, "disk");
      EXPECT_GE(now, before);
      before = now;
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    const Wait wait(&driver, On::disk);
    const Wait inner(&driver, i % 2 == 0 ? On::room : On::disk);
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace weir::metrics
