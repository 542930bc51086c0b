#include "stages/buffer.h"

#include "spool/consumer.h"
#include "spool/inspection.h"
#include "spool/positions_file.h"
#include "sqlite/database.h"
#include "stages/spool_source.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <random>
#include <thread>

namespace weir::stages {
namespace {

using Lines = std::vector<std::string>;

std::string line(int number, std::string_view rest = "") {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","labels":{{"app":"shop"}}{}}})", number, rest);
}

// The text of a record's line, or the kind of a marker.
std::string brief(const std::string& json) {
  for (const std::string_view key : {R"("line":")", R"("type":")"}) {
    const auto at = json.find(key);
    if (at != std::string::npos) return json.substr(at + key.size(), json.find('"', at + key.size()) - at - key.size());
  }
  return json;
}
Lines brief(const Lines& all) {
  Lines out;
  for (const std::string& json : all) out.push_back(brief(json));
  return out;
}

// Below the buffer: remembers what comes, and can be shut.
class Gate : public pipeline::Stage {
 public:
  explicit Gate(test::Collector& to) : to_(to) {}
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
    return to_.consume(batch, out);
  }
  [[nodiscard]] std::string_view name() const override { return "gate"; }
  void set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    opened_.notify_all();
  }

 private:
  test::Collector& to_;
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = true;
};

class BufferTest : public testing::Test {
 protected:
  BufferSpec spec() const {
    BufferSpec spec;
    spec.spool.path = dir_ / "spool.db";
    spec.spool.min_free = 0;
    spec.spool.wait = 0;
    return spec;
  }

  // One life of a buffer with a collector behind it.
  struct Life {
    Life(const BufferSpec& spec, test::TestContext& test) : test_(test) {
      auto made = make_buffer(spec, test.context);
      EXPECT_TRUE(made) << made.error().message;
      stage = std::move(*made);
      auto below = std::make_unique<Gate>(collector);
      gate = below.get();
      below_.push_back(std::move(below));
      outlet = pipeline::make_outlet(below_);
    }
    base::Result<pipeline::Flow> take(const Lines& lines) {
      pipeline::Batch batch = test::batch_of(lines);
      return stage->consume(batch, *outlet);
    }
    void nudge() { EXPECT_TRUE(stage->nudge(test_.clock.monotonic(), *outlet)); }
    void flush() {
      auto flushed = stage->flush(*outlet, base::kNever);
      ASSERT_TRUE(flushed) << flushed.error().message;
      EXPECT_EQ(*flushed, pipeline::Flushed::safe);
    }
    void finish() {
      gate->set(true);
      auto finished = stage->finish(*outlet, base::kNever);
      EXPECT_TRUE(finished) << finished.error().message;
      counters = stage->counters();
      test::expect_balance(counters);
      if (stage->drives_below()) {
        EXPECT_EQ(counters.records_out, collector.lines().size());
      }
      stage.reset();
      test::expect_balance(test_.registry);
    }
    test::TestContext& test_;
    test::Collector collector;
    pipeline::Counters counters;  // at the end
    std::vector<std::unique_ptr<pipeline::Stage>> below_;
    Gate* gate = nullptr;
    std::unique_ptr<pipeline::Outlet> outlet;
    std::unique_ptr<pipeline::Stage> stage;
  };

  void acknowledge(std::uint64_t block, std::uint32_t ordinal, const std::string& name = "main") {
    auto consumer =
        spool::Consumer::open({.path = spec().spool.path, .name = name, .spool = 0, .match = "", .wait = 0}, test_.clock);
    ASSERT_TRUE(consumer) << consumer.error().message;
    const spool::PlaceSet::Stretch before = {{1, 0}, {block, ordinal}};
    (*consumer)->acknowledge({&before, 1});
    ASSERT_TRUE((*consumer)->commit());
  }

  test::TempDir dir_;
  test::TestContext test_;
};

TEST_F(BufferTest, ForwardsWhatIsStoredWithItsPlace) {
  Life life(spec(), test_);
  ASSERT_TRUE(life.take({line(1), line(2)}));
  life.flush();
  ASSERT_TRUE(life.take({line(3)}));
  life.finish();
  EXPECT_EQ(brief(life.collector.all()), (Lines{"begin", "1", "2", "block", "3", "block", "end"}));
  const auto status = spool::read_status(spec().spool.path);
  ASSERT_TRUE(status);
  const std::string id = fmt::format("{:016x}", status->id);
  EXPECT_EQ(life.collector.lines()[1], line(2, fmt::format(R"(,"source":"b.{}.1.1")", id)));
  EXPECT_NE(life.collector.markers()[0].find(R"("checkpoint":")" + spec().spool.path), std::string::npos);
  EXPECT_NE(life.collector.markers()[1].find("b." + id + ".1.2"), std::string::npos) << life.collector.markers()[1];
}

TEST_F(BufferTest, NothingIsForwardedBeforeItIsStored) {
  Life life(spec(), test_);
  ASSERT_TRUE(life.take({line(1)}));
  life.nudge();
  EXPECT_EQ(spool::read_status(spec().spool.path)->records, 0U);
  test_.clock.advance(base::kSecond);
  life.nudge();
  EXPECT_EQ(spool::read_status(spec().spool.path)->records, 1U);
  life.finish();
  EXPECT_EQ(life.collector.lines().size(), 1U);
}

TEST_F(BufferTest, ABlockIsFullAtItsSize) {
  BufferSpec small = spec();
  small.group_bytes = 10;
  Life life(small, test_);
  Lines in;
  for (int i = 100'000; i < 100'100; ++i) in.push_back(line(i));
  ASSERT_TRUE(life.take(in));
  EXPECT_EQ(spool::read_status(spec().spool.path)->blocks, 50U);
  life.finish();
  EXPECT_EQ(brief(life.collector.lines()), brief(in));
}

TEST_F(BufferTest, ASlowReaderIsFedFromTheFileAndBlocksNobody) {
  BufferSpec small = spec();
  small.group_bytes = 1000;
  small.memory = 1;  // only one block may wait in memory
  Life life(small, test_);
  life.gate->set(false);
  Lines in;
  for (int round = 0; round < 40; ++round) {
    Lines part;
    for (int i = 0; i < 60; ++i) part.push_back(line(100'000 + round * 60 + i));
    ASSERT_TRUE(life.take(part));
    in.insert(in.end(), part.begin(), part.end());
    if (round == 20) life.gate->set(true);
    if (round == 21) life.flush();
    if (round == 22) life.gate->set(false);
  }
  life.finish();
  EXPECT_EQ(brief(life.collector.lines()), brief(in));
}

TEST_F(BufferTest, StartsWithWhatTheConsumerHasNotAcknowledged) {
  {
    Life life(spec(), test_);
    ASSERT_TRUE(life.take({line(1), line(2), line(3)}));
    life.flush();
    ASSERT_TRUE(life.take({line(4)}));
    life.finish();
  }
  acknowledge(1, 2);
  {
    Life life(spec(), test_);
    ASSERT_TRUE(life.take({line(5)}));
    life.finish();
    EXPECT_EQ(brief(life.collector.all()), (Lines{"begin", "3", "block", "4", "block", "5", "block", "end"}));
    EXPECT_NE(life.collector.markers()[0].find(".1.2\""), std::string::npos) << life.collector.markers()[0];
  }
  BufferSpec fresh = spec();
  fresh.only_new = true;
  Life life(fresh, test_);
  ASSERT_TRUE(life.take({line(6)}));
  life.finish();
  EXPECT_EQ(brief(life.collector.lines()), Lines{"6"});
}

TEST_F(BufferTest, EmptyInputStillForwardsWhatIsLeft) {
  {
    BufferSpec store = spec();
    store.store_only = true;
    Life life(store, test_);
    ASSERT_TRUE(life.take({line(1)}));
    life.finish();
    EXPECT_TRUE(life.collector.all().empty());
  }
  Life life(spec(), test_);
  life.finish();
  EXPECT_EQ(brief(life.collector.all()), (Lines{"begin", "1", "block", "end"}));
}

TEST_F(BufferTest, HeldRecordsStay) {
  Life life(spec(), test_);
  ASSERT_TRUE(life.take({line(1), line(2, R"(,"held":true)"), line(3)}));
  life.finish();
  EXPECT_EQ(brief(life.collector.lines()), (Lines{"1", "3"}));
  EXPECT_NE(life.collector.lines()[1].find(".2.1\""), std::string::npos) << "the held ones have block 1";
  EXPECT_EQ(spool::read_status(spec().spool.path)->held, 1U);
  EXPECT_EQ(life.counters.records_in, 3U);
  EXPECT_EQ(life.counters.records_out, 2U);
  EXPECT_EQ(life.counters.held, 1U);
}

TEST_F(BufferTest, HeldRecordsWaitForCompanyAndAreStoredWithOthers) {
  const auto held = [this] { return spool::read_status(spec().spool.path)->held; };
  Life life(spec(), test_);
  ASSERT_TRUE(life.take({line(1, R"(,"held":true)")}));
  test_.clock.advance(9 * base::kSecond);
  life.nudge();
  EXPECT_EQ(held(), 0U) << "nobody waits for them, and more of them pack better";
  test_.clock.advance(base::kSecond);
  life.nudge();
  EXPECT_EQ(held(), 1U);
  ASSERT_TRUE(life.take({line(2, R"(,"held":true)")}));
  test_.clock.advance(base::kSecond);
  ASSERT_TRUE(life.take({line(3)}));
  test_.clock.advance(3 * base::kSecond);
  life.nudge();
  EXPECT_EQ(held(), 2U);
  ASSERT_TRUE(life.take({line(4, R"(,"held":true)")}));
  life.flush();
  EXPECT_EQ(held(), 3U);
  life.finish();
  EXPECT_EQ(brief(life.collector.all()), (Lines{"begin", "3", "block", "end"})) << "nothing comes of a held block";
  EXPECT_EQ(life.counters.held, 3U);
}

TEST_F(BufferTest, HeldBlocksAreSkippedWhenTheFileIsRead) {
  auto spec = this->spec();
  spec.memory = 1;
  Life life(spec, test_);
  life.gate->set(false);
  Lines expected;
  for (int i = 0; i < 30; ++i) {
    const bool held = i % 3 != 0;
    ASSERT_TRUE(life.take({line(i, held ? R"(,"held":true)" : "")}));
    if (!held) expected.push_back(std::to_string(i));
    test_.clock.advance(10 * base::kSecond);
    life.nudge();
  }
  life.finish();
  EXPECT_EQ(brief(life.collector.lines()), expected);
  EXPECT_EQ(life.counters.held, 20U);
  EXPECT_EQ(life.counters.in_flight, 0U);
  for (const auto& [reason, count] : life.counters.dropped) EXPECT_EQ(count, 0U) << reason;
}

TEST_F(BufferTest, WithNothingBehindHeldRecordsAreInTheBooksAsHeld) {
  auto spec = this->spec();
  spec.store_only = true;
  Life life(spec, test_);
  ASSERT_TRUE(life.take({line(1), line(2, R"(,"held":true)")}));
  life.finish();
  EXPECT_EQ(life.counters.records_out, 1U);
  EXPECT_EQ(life.counters.held, 1U);
}

// Time passes with each look at it.
class SlowClock : public base::Clock {
 public:
  explicit SlowClock(test::FakeClock& inner) : inner_(inner) {}
  [[nodiscard]] base::Timestamp wall() const override { return inner_.wall(); }
  [[nodiscard]] base::Monotonic monotonic() const override {
    inner_.advance(step);
    return inner_.monotonic();
  }
  std::atomic<base::Duration> step{0};

 private:
  test::FakeClock& inner_;
};

TEST_F(BufferTest, ASlowDiskShedsHeldRecordsFirst) {
  SlowClock clock(test_.clock);
  test_.context.clock = &clock;
  auto spec = this->spec();
  spec.store_only = true;  // no other thread looks at the clock
  Life life(spec, test_);
  ASSERT_TRUE(life.take({line(1), line(2, R"(,"held":true)")}));
  clock.step = 3 * base::kSecond;
  ASSERT_TRUE(life.stage->flush(*life.outlet, base::kNever));
  clock.step = 0;
  ASSERT_TRUE(life.take({line(3), line(4, R"(,"held":true)"), line(5, R"(,"held":true)")}));
  ASSERT_TRUE(life.stage->flush(*life.outlet, base::kNever));
  test_.clock.advance(30 * base::kSecond);
  ASSERT_TRUE(life.take({line(6, R"(,"held":true)")}));
  life.finish();
  EXPECT_EQ(life.counters.held, 2U);
  EXPECT_EQ(life.counters.dropped["held_shed"], 2U);
  EXPECT_EQ(life.counters.records_out, 2U);
  EXPECT_TRUE(std::ranges::any_of(test_.diagnostics.said(), [](const std::string& said) {
    return said.find("is slow") != std::string::npos && said.find("held records are not stored for 30s") != std::string::npos;
  }));
}

TEST_F(BufferTest, PositionsAreKeptAndRepeatsDiscarded) {
  const std::string path = spec().spool.path;
  const std::string begin = fmt::format(R"({{"marker":{{"type":"begin","checkpoint":"{}"}}}})", path);
  const std::string file = R"({"source":"f.1.1.o.0","marker":{"type":"generation","path":"/a.log","log":"/a.log","inode":5,)"
                           R"("device":1,"head_size":9,"head_hash":"00000000000000ff"}})";
  const auto at = [](int end) { return line(end, fmt::format(R"(,"source":"f.1.1.o.{}")", end)); };
  {
    Life life(spec(), test_);
    ASSERT_TRUE(life.take({begin, file, at(10), at(20)}));
    EXPECT_TRUE(spool::read_positions(path)->empty());
    life.finish();
  }
  EXPECT_EQ(spool::read_positions(path)->at("/a.log").resume.offset, 20U);
  acknowledge(2, 0);
  Life life(spec(), test_);
  ASSERT_TRUE(life.take({begin, file, at(10), at(20), at(30), R"({"source":"f.1.1.o.40"})", R"({"marker":{"type":"end"}})"}));
  life.finish();
  EXPECT_EQ(brief(life.collector.all()), (Lines{"begin", "30", "block", "end"}));
  EXPECT_EQ(spool::read_positions(path)->at("/a.log").resume.offset, 40U);
  EXPECT_EQ(spool::read_status(path)->records, 3U);
}

TEST_F(BufferTest, AReaderThatWentAwayEndsTheChain) {
  Life life(spec(), test_);
  life.collector.limit = 1;
  ASSERT_TRUE(life.take({line(1)}));
  ASSERT_TRUE(life.stage->flush(*life.outlet, base::kNever));  // stored; below, nobody is left who could say more
  for (int i = 0; i < 1000; ++i) {
    auto flow = life.take({line(2)});
    ASSERT_TRUE(flow);
    if (*flow == pipeline::Flow::done) return;
    std::this_thread::yield();
  }
  FAIL() << "never done";
}

TEST_F(BufferTest, AFullSpoolWaitsAndGoesOnWhenSomethingIsDelivered) {
  BufferSpec small = spec();
  small.spool.max_size = 4 << 20;
  small.group_bytes = 1;
  Life(spec(), test_).finish();
  acknowledge(1, 0);  // registers the name
  Life life(small, test_);
  std::mt19937 random(1);
  const auto big = [&](int i) {
    std::string text;
    for (int n = 0; n < 300'000; ++n) text.push_back(static_cast<char>('!' + random() % 90));
    std::erase(text, '"');
    std::erase(text, '\\');
    return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}{}","labels":{{}}}})", i, text);
  };
  std::thread helper([&] {
    while (test_.diagnostics.said().empty()) std::this_thread::yield();
    acknowledge(5, 0);
  });
  int taken = 0;
  while (test_.diagnostics.said().empty() && taken < 100) {
    auto flow = life.take({big(taken)});
    ASSERT_TRUE(flow) << flow.error().message;
    ++taken;
  }
  helper.join();
  EXPECT_LT(taken, 100);
  life.finish();
  const Lines said = test_.diagnostics.said();
  EXPECT_NE(said.front().find("reached its limit"), std::string::npos) << said.front();
  EXPECT_EQ(life.collector.lines().size(), static_cast<std::size_t>(taken));
}

TEST_F(BufferTest, TheSummarySaysThatASpoolWithoutAConsumerIsARing) {
  for (const bool consumer : {false, true}) {
    SCOPED_TRACE(consumer);
    std::filesystem::remove(spec().spool.path);
    BufferSpec small = spec();
    small.spool.max_size = 4 << 20;
    small.group_bytes = 1;
    small.spool.on_full = spool::OnFull::drop_oldest;
    Life(small, test_).finish();
    if (consumer) acknowledge(1, 0);  // registers the name
    Life life(small, test_);
    std::mt19937 random(1);
    for (int i = 0; i < 30; ++i) {
      std::string text;
      while (text.size() < 300'000) text.push_back(static_cast<char>('a' + random() % 26));
      ASSERT_TRUE(life.take({fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","labels":{{}}}})", text)}));
    }
    life.flush();
    const std::string summary = life.stage->summary();
    EXPECT_EQ(summary.find("evicted: without a consumer, the spool is a ring of recent records") == std::string::npos, consumer)
        << summary;
    life.finish();
    EXPECT_EQ(life.counters.lost > 0, consumer);
  }
}

TEST_F(BufferTest, SecondBufferIsRefused) {
  Life life(spec(), test_);
  const auto second = make_buffer(spec(), test_.context);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::Code::busy);
  life.finish();
}

TEST_F(BufferTest, SamplesAreRefused) {
  Life life(spec(), test_);
  const auto flow = life.take({R"({"timestamp":"2024-05-01T10:00:00Z","value":"1","labels":{}})"});
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code, base::Code::usage);
  life.finish();
}

TEST_F(BufferTest, TheSpoolSourceBringsTheSameStream) {
  {
    BufferSpec store = spec();
    store.store_only = true;
    Life life(store, test_);
    ASSERT_TRUE(life.take({line(1), line(2, R"(,"held":true)"), line(3)}));
    life.flush();
    ASSERT_TRUE(life.take({line(4)}));
    life.finish();
  }
  acknowledge(2, 1);
  auto source = make_spool_source({.spool = spec().spool.path, .follow = false}, test_.context);
  ASSERT_TRUE(source);
  test::Collector collector;
  struct Lend : pipeline::Stage {
    explicit Lend(test::Collector& to) : to_(to) {}
    base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override { return to_.consume(batch, out); }
    [[nodiscard]] std::string_view name() const override { return "lend"; }
    test::Collector& to_;
  };
  std::vector<std::unique_ptr<pipeline::Stage>> below;
  below.push_back(std::make_unique<Lend>(collector));
  const auto outlet = pipeline::make_outlet(below);
  ASSERT_TRUE((*source)->run(*outlet, *test_.stop));
  EXPECT_EQ(brief(collector.all()), (Lines{"begin", "3", "block", "4", "block", "end"}));

  auto other = make_spool_source({.spool = spec().spool.path, .consumer = "new", .follow = false}, test_.context);
  test::Collector all;
  below[0] = std::make_unique<Lend>(all);
  ASSERT_TRUE((*other)->run(*pipeline::make_outlet(below), *test_.stop));
  EXPECT_EQ(brief(all.lines()), (Lines{"1", "3", "4"}));
}

// -- the books --

// What of it does not compress, so that a small spool is soon full.
std::string noise(int number) {
  std::mt19937 random(static_cast<unsigned>(number));
  std::string text = std::to_string(number) + " ";
  while (text.size() < 60'000) text += static_cast<char>('a' + random() % 26);
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","labels":{{}}}})", text);
}

TEST_F(BufferTest, WhatIsEvictedBeforeItsTurnIsInTheBooks) {
  auto spec = this->spec();
  spec.spool.max_size = 2 << 20;
  spec.spool.on_full = spool::OnFull::drop_oldest;
  spec.memory = 1;  // one block waits in memory, the others in the file
  spec.group_bytes = 100'000;
  Life life(spec, test_);
  life.gate->set(false);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(life.take({noise(i)}));
  life.finish();
  EXPECT_EQ(life.counters.records_in, 100U);
  EXPECT_EQ(life.counters.records_out + life.counters.dropped["evicted"], 100U);
  EXPECT_GT(life.counters.dropped["evicted"], 10U);
  // No consumer: only the drain can know what it has missed.
  EXPECT_EQ(life.counters.lost, life.counters.dropped["evicted"]);
  EXPECT_TRUE(std::ranges::any_of(test_.diagnostics.said(),
                                  [](const std::string& said) { return said.find("evicted before") != std::string::npos; }));
  EXPECT_EQ(life.counters.in_flight, 0U);
}

// What the spool holds, and what it lost so far.
struct InSpool {
  std::size_t gaps = 0;
  std::uint64_t gap_bytes = 0, records = 0, evicted = 0;
};

InSpool in_spool(const std::string& path) {
  InSpool found;
  const auto status = spool::read_status(path);
  EXPECT_TRUE(status);
  found.records = status->records;
  found.evicted = status->evicted_undelivered;
  auto reader = spool::Reader::open(path, 0);
  EXPECT_TRUE(reader);
  const auto blocks = (*reader)->list({});
  for (const spool::BlockInfo& block : *blocks) {
    pipeline::Batch batch;
    EXPECT_TRUE((*reader)->load(block.id, {}, batch, nullptr));
    for (const record::Record& record : batch.records) {
      if (!record::is_gap(record)) continue;
      ++found.gaps;
      found.gap_bytes += std::stoull(std::string(record::find(record.metadata, record::kGapBytes)));
    }
  }
  return found;
}

TEST_F(BufferTest, GapRecordsTellWhatWasEvicted) {
  auto small = spec();
  small.spool.max_size = 4 << 20;
  small.spool.on_full = spool::OnFull::drop_oldest;
  small.group_bytes = 100'000;
  Life(small, test_).finish();
  acknowledge(1, 0);  // registers the name
  Life life(small, test_);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(life.take({noise(i)}));
  EXPECT_EQ(in_spool(small.spool.path).gaps, 0U) << "they wait for others";
  life.finish();
  const InSpool found = in_spool(small.spool.path);
  EXPECT_GT(found.evicted, 50U);
  EXPECT_EQ(found.gaps, 1U);
  EXPECT_EQ(life.counters.records_in, 200U);
  EXPECT_EQ(life.counters.records_added, 1U);
  EXPECT_EQ(found.evicted + found.records, 201U);
  // The lines are 60,000 bytes long. What the last commit evicted is in the counters only.
  EXPECT_LE(found.gap_bytes, found.evicted * 60'000);
  EXPECT_GE(found.gap_bytes, (found.evicted - 2) * 60'000);
  EXPECT_EQ(std::ranges::count_if(life.collector.lines(),
                                  [](const std::string& json) { return json.find(R"("weir_gap_bytes")") != std::string::npos; }),
            1)
      << "it is passed on as others are";
}

TEST_F(BufferTest, AnIdleChainHasOneCommitOfGapRecords) {
  auto small = spec();
  small.spool.max_size = 4 << 20;
  small.spool.on_full = spool::OnFull::drop_oldest;
  small.group_bytes = 1;
  Life(small, test_).finish();
  acknowledge(1, 0);
  Life life(small, test_);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(life.take({noise(i)}));
  const auto told = [&] { return life.stage->counters().records_added; };
  EXPECT_EQ(told(), 0U);
  for (int i = 0; i < 20; ++i) {
    test_.clock.advance(base::kMinute);
    life.nudge();
    EXPECT_EQ(told(), 1U) << i;
  }
  const InSpool found = in_spool(small.spool.path);
  EXPECT_EQ(found.gaps, 1U);
  EXPECT_GT(found.gap_bytes, 60'000U * 50);
  ASSERT_TRUE(life.take({noise(1000)}));
  life.finish();
}

// The gate opens when the buffer has said that it waits. It opens after a minute in any case, so that a test can fail.
std::thread opens_when_full(Gate& gate, test::RememberingDiagnostics& diagnostics) {
  return std::thread([&] {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (diagnostics.said().empty() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    gate.set(true);
  });
}

// As a chain begins: the stage behind has registered no consumer, or never will.
TEST_F(BufferTest, WithoutAConsumerAFullSpoolWaitsUntilItsRecordsArePassedOn) {
  for (const bool spill : {false, true}) {
    SCOPED_TRACE(spill);
    std::filesystem::remove(this->spec().spool.path);
    test::TestContext test;
    auto spec = this->spec();
    spec.spill = spill;
    spec.spill_limits.memory = 200'000;
    spec.spill_limits.patience = spec.spill_limits.end_wait = 0;
    spec.spool.max_size = 4 << 20;
    spec.memory = 1;
    spec.group_bytes = 100'000;
    Life life(spec, test);
    life.gate->set(false);
    std::thread helper = opens_when_full(*life.gate, test.diagnostics);
    for (int i = 0; i < 150; ++i) ASSERT_TRUE(life.take({noise(i)}));
    helper.join();
    life.finish();
    EXPECT_EQ(life.collector.lines().size(), 150U);
    EXPECT_EQ(life.counters.lost, 0U);
    EXPECT_EQ(life.counters.dropped["evicted"], 0U);
    const Lines said = test.diagnostics.said();
    ASSERT_FALSE(said.empty()) << "it never waited";
    EXPECT_NE(said.front().find("reached its limit"), std::string::npos) << said.front();
    EXPECT_LT(spool::read_status(spec.spool.path)->records, 100U) << "still a ring of what was passed on";
  }
}

TEST_F(BufferTest, WithoutAConsumerRecordsOutliveRetainUntilTheyArePassedOn) {
  auto spec = this->spec();
  spec.spool.retain = 0;
  spec.group_bytes = 1;
  spec.memory = 1;
  Life life(spec, test_);
  life.gate->set(false);
  const auto stored = [&] { return spool::read_status(spec.spool.path)->blocks; };
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(life.take({line(i)}));
  test_.clock.advance(base::kHour);
  life.nudge();
  EXPECT_EQ(stored(), 5U) << "nothing was passed on";
  life.gate->set(true);
  life.flush();
  test_.clock.advance(base::kHour);
  life.nudge();
  EXPECT_EQ(stored(), 1U) << "the newest stays";
  // Acknowledgements for what has gone do no harm.
  acknowledge(3, 0);
  ASSERT_TRUE(life.take({line(6)}));
  life.finish();
  EXPECT_EQ(brief(life.collector.lines()), (Lines{"1", "2", "3", "4", "5", "6"}));
  EXPECT_EQ(life.counters.lost, 0U);
  EXPECT_EQ(test_.diagnostics.said(), Lines{});
  EXPECT_EQ(stored(), 2U) << "the consumer has not acknowledged these";
}

TEST_F(BufferTest, TheStageBehindHasTimeToRegisterBeforeRecordsGoForTheirAge) {
  auto spec = this->spec();
  spec.spool.retain = 0;
  spec.group_bytes = 1;
  Life life(spec, test_);
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(life.take({line(i)}));
  life.flush();
  test_.clock.advance(30 * base::kSecond);
  life.nudge();
  EXPECT_EQ(spool::read_status(spec.spool.path)->blocks, 5U) << "passed on, and perhaps still in the pipe";
  acknowledge(4, 0);
  test_.clock.advance(10 * base::kSecond);
  life.nudge();
  EXPECT_EQ(spool::read_status(spec.spool.path)->blocks, 2U) << "now its place counts, at once";
  life.finish();
}

TEST_F(BufferTest, WithoutAConsumerTheNextStartPassesEverythingOnFirst) {
  auto spec = this->spec();
  spec.spool.max_size = 4 << 20;
  spec.group_bytes = 100'000;
  std::size_t before = 0;
  {
    BufferSpec store = spec;
    store.store_only = true;
    Life life(store, test_);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(life.take({noise(i)}));
    life.finish();
    before = spool::read_status(spec.spool.path)->records;
    EXPECT_LT(before, 100U) << "a ring of all records";
  }
  Life life(spec, test_);
  life.gate->set(false);
  std::thread helper = opens_when_full(*life.gate, test_.diagnostics);
  for (int i = 100; i < 150; ++i) ASSERT_TRUE(life.take({noise(i)}));
  helper.join();
  life.finish();
  EXPECT_FALSE(test_.diagnostics.said().empty()) << "it never waited";
  EXPECT_EQ(life.collector.lines().size(), before + 50);
  EXPECT_EQ(life.counters.lost, 0U);
}

TEST_F(BufferTest, WhatIsEvictedOfAnEarlierRunBeforeItIsPassedOnIsReported) {
  auto spec = this->spec();
  spec.spool.max_size = 4 << 20;
  spec.spool.on_full = spool::OnFull::drop_oldest;
  spec.group_bytes = 100'000;
  {
    BufferSpec store = spec;
    store.store_only = true;
    Life life(store, test_);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(life.take({noise(i)}));
    life.finish();
  }
  spec.memory = 1;
  Life life(spec, test_);
  life.gate->set(false);
  for (int i = 100; i < 200; ++i) ASSERT_TRUE(life.take({noise(i)}));
  life.finish();
  EXPECT_EQ(life.counters.lost, life.counters.dropped["evicted"] + 30);
}

TEST_F(BufferTest, AFullSpoolIsNotWaitedForWhenNobodyTakesItsRecordsAnyMore) {
  auto spec = this->spec();
  spec.spool.max_size = 4 << 20;
  spec.group_bytes = 100'000;
  Life life(spec, test_);
  life.collector.limit = 1;
  life.gate->set(false);
  std::thread helper = opens_when_full(*life.gate, test_.diagnostics);
  base::Result<pipeline::Flow> flow = pipeline::Flow::more;
  for (int i = 0; i < 150 && flow; ++i) flow = life.take({noise(i)});
  helper.join();
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code, base::Code::full);
  EXPECT_NE(flow.error().message.find("not taken"), std::string::npos) << flow.error().message;
  EXPECT_FALSE(life.stage->finish(*life.outlet, base::kNever)) << "nor at the end";
}

TEST_F(BufferTest, AFullSpoolGivesUpHeldRecordsAndCollectionGoesOn) {
  auto spec = this->spec();
  spec.spool.max_size = 4 << 20;
  spec.group_bytes = 100'000;
  Life life(spec, test_);
  acknowledge(1, 0);  // somebody waits
  std::uint64_t taken = 0;
  for (int i = 0; i < 65; ++i) {
    const std::string held = noise(i + 1000);
    ASSERT_TRUE(life.take({held.substr(0, held.size() - 1) + R"(,"held":true})"}));
    ASSERT_TRUE(life.take({noise(i)}));
    ++taken;
  }
  life.finish();
  EXPECT_EQ(life.counters.records_in, 2 * taken);
  EXPECT_EQ(life.counters.records_out, taken);
  EXPECT_EQ(life.counters.held + life.counters.dropped["held_shed"], taken);
  const auto status = spool::read_status(spec.spool.path);
  EXPECT_EQ(status->undelivered, taken);
  EXPECT_EQ(status->evicted_undelivered, 0U);
  EXPECT_LT(status->held, taken) << "the oldest went";
}

TEST_F(BufferTest, WhatWasThereBeforeIsInTheBooks) {
  {
    Life life(spec(), test_);
    ASSERT_TRUE(life.take({line(1), line(2, R"(,"held":true)"), line(3)}));
    life.finish();
    EXPECT_EQ(life.counters.held, 1U);
    EXPECT_EQ(life.counters.records_added, 0U);
  }
  acknowledge(2, 1);
  Life life(spec(), test_);
  ASSERT_TRUE(life.take({line(4)}));
  life.finish();
  EXPECT_EQ(life.counters.records_in, 1U);
  EXPECT_EQ(life.counters.records_added, 1U);
  EXPECT_EQ(life.counters.records_out, 2U);
}

TEST_F(BufferTest, WhatNobodyWantsAnyMoreWaitsInTheSpool) {
  Life life(spec(), test_);
  life.collector.limit = 1;
  ASSERT_TRUE(life.take({line(1)}));
  ASSERT_TRUE(life.stage->flush(*life.outlet, base::kNever));
  ASSERT_TRUE(life.take({line(2), line(3)}));
  life.finish();
  EXPECT_EQ(life.counters.records_out, 1U);
  EXPECT_EQ(life.counters.records_in - life.counters.records_out, life.counters.in_flight);
  EXPECT_EQ(spool::read_status(spec().spool.path)->records, life.counters.records_in);
}

TEST_F(BufferTest, WhatCannotBeReadIsInTheBooks) {
  auto spec = this->spec();
  spec.memory = 1;
  Life life(spec, test_);
  life.gate->set(false);
  for (int i = 1; i <= 8; i += 2) {
    ASSERT_TRUE(life.take({line(i), line(i + 1)}));
    life.test_.clock.advance(10 * base::kSecond);
    life.nudge();
  }
  {
    auto database = std::move(*sqlite::Database::open(spec.spool.path, sqlite::Access::write, base::kSecond));
    auto damaged =
        database.execute("UPDATE bodies SET body = CAST(substr(body, 1, length(body) - 1) || x'7f' AS BLOB) WHERE block = 4");
    EXPECT_TRUE(damaged) << damaged.error().message;
  }
  life.finish();
  EXPECT_EQ(life.counters.dropped["damaged"], 2U);
  EXPECT_EQ(life.counters.lost, 2U);
  EXPECT_EQ(life.counters.records_out, 6U);
}

}  // namespace
}  // namespace weir::stages
