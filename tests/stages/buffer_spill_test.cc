// buffer --spill: passed on first, stored only when it is not acknowledged in time.
#include "spool/consumer.h"
#include "spool/inspection.h"
#include "spool/positions_file.h"
#include "spool/reader.h"
#include "stages/buffer.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace weir::stages {
namespace {

using base::kMillisecond;
using base::kSecond;
using Lines = std::vector<std::string>;

// Below the buffer: what reaches it outlives the chain.
class Below : public pipeline::Stage {
 public:
  explicit Below(test::Collector& to) : to_(to) {}
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override { return to_.consume(batch, out); }
  [[nodiscard]] std::string_view name() const override { return "below"; }

 private:
  test::Collector& to_;
};

class SpillTest : public testing::Test {
 protected:
  BufferSpec spec() const {
    BufferSpec spec;
    spec.spool.path = path_;
    spec.spool.min_free = 0;
    spec.spool.wait = 10 * kSecond;
    spec.spill = true;
    spec.spill_limits.end_wait = 0;
    return spec;
  }

  // One life of a buffer that takes one log, with a collector behind it.
  struct Life {
    Life(const BufferSpec& spec, test::TestContext& test) : test_(test) {
      auto made = make_buffer(spec, test.context);
      EXPECT_TRUE(made) << made.error().message;
      stage = std::move(*made);
      below_.push_back(std::make_unique<Below>(collector));
      outlet = pipeline::make_outlet(below_);
    }
    void take(const Lines& lines) {
      pipeline::Batch batch = test::batch_of(lines);
      const auto flow = stage->consume(batch, *outlet);
      EXPECT_TRUE(flow) << flow.error().message;
    }
    // Closes the open block, as time does.
    void close() {
      test_.clock.advance(kSecond);
      nudge();
    }
    void nudge() {
      const auto due = stage->nudge(test_.clock.monotonic(), *outlet);
      EXPECT_TRUE(due) << due.error().message;
    }
    void finish() {
      const auto finished = stage->finish(*outlet, base::kNever);
      EXPECT_TRUE(finished) << finished.error().message;
      test::expect_balance(stage->counters());
      EXPECT_EQ(stage->counters().records_out, collector.lines().size());
      stage.reset();
    }
    // As SIGKILL ends it: nothing is stored any more.
    void die() { stage.reset(); }
    void wait_for(std::size_t lines) const {
      while (collector.lines().size() < lines) std::this_thread::yield();
    }

    test::TestContext& test_;
    test::Collector collector;
    std::vector<std::unique_ptr<pipeline::Stage>> below_;
    std::unique_ptr<pipeline::Outlet> outlet;
    std::unique_ptr<pipeline::Stage> stage;
  };

  // The first lines of a tracked stream.
  Lines opening() const {
    return {fmt::format(R"({{"marker":{{"type":"begin","checkpoint":"{}"}}}})", path_),
            R"({"source":"f.1.1.o.0","marker":{"type":"generation","path":"/a.log","log":"/a.log","inode":5,)"
            R"("device":1,"head_size":9,"head_hash":"00000000000000ff"}})"};
  }
  static std::string at(int end, std::string_view rest = "") {
    return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","labels":{{}},"source":"f.1.1.o.{}"{}}})", end, end,
                       rest);
  }
  static Lines numbers(const Life& life) {
    Lines out;
    for (const std::string& json : life.collector.lines()) {
      const auto from = json.find(R"("line":")") + 8;
      out.push_back(json.substr(from, json.find('"', from) - from));
    }
    return out;
  }
  std::uint64_t safe_to() const {
    const auto positions = spool::read_positions(path_, 0);
    EXPECT_TRUE(positions) << positions.error().message;
    return positions->empty() ? 0 : positions->at("/a.log").resume.offset;
  }
  // The lines that are held, in the order of storing.
  Lines held() const {
    auto reader = std::move(*spool::Reader::open(path_));
    Lines lines;
    const auto blocks = reader->list({});
    for (const spool::BlockInfo& block : *blocks) {
      record::Batch batch;
      EXPECT_TRUE(reader->load(block.id, {}, batch));
      for (const record::Record& record : batch.records) {
        if (record.held) lines.emplace_back(record.line.data);
      }
    }
    return lines;
  }
  std::uint64_t stored() const { return spool::read_status(path_)->records; }

  // What push does behind it: sees the stream so far and acknowledges its first `count` lines.
  std::unique_ptr<spool::Consumer> acknowledge(const Life& life, std::size_t count, const std::string& name = "main",
                                               bool commit = false) {
    auto opened = spool::Consumer::open({.path = path_, .name = name, .spool = 0, .match = "", .wait = 10 * kSecond}, test_.clock);
    EXPECT_TRUE(opened) << opened.error().message;
    auto consumer = std::move(*opened);
    const pipeline::Batch batch = test::batch_of(life.collector.all());
    for (const record::Record& record : batch.records) {
      EXPECT_TRUE(consumer->track(record));
      if (record.is_marker() || count == 0) continue;
      --count;
      consumer->acknowledge(record.source.block, record.source.ordinal, record.source.ordinal);
    }
    if (commit) {
      EXPECT_TRUE(consumer->commit());
    } else {
      EXPECT_TRUE(consumer->note());
    }
    return consumer;
  }

  test::TempDir dir_;
  const std::string path_ = dir_ / "spool.db";
  test::TestContext test_;
};

TEST_F(SpillTest, PassesOnBeforeItStoresAndStoresNothingThatIsAcknowledged) {
  Life life(spec(), test_);
  life.take(opening());
  life.take({at(10), at(20)});
  life.close();
  life.wait_for(2);
  EXPECT_EQ(stored(), 0U);
  EXPECT_EQ(safe_to(), 0U) << "nobody has acknowledged it";
  {
    const auto consumer = acknowledge(life, 2);
    life.take({at(30)});
    life.close();
    life.wait_for(3);
  }
  acknowledge(life, 3);
  for (int i = 0; i < 10; ++i) life.close();
  EXPECT_EQ(stored(), 0U);
  EXPECT_EQ(safe_to(), 30U);
  life.finish();
  EXPECT_EQ(numbers(life), (Lines{"10", "20", "30"}));
  EXPECT_EQ(stored(), 0U);
}

TEST_F(SpillTest, WhatIsNotAcknowledgedInTimeIsStoredFromTheOldestOn) {
  Life life(spec(), test_);
  life.take(opening());
  for (int block = 1; block <= 3; ++block) {
    life.take({at(block * 10)});
    life.close();
  }
  life.wait_for(3);
  acknowledge(life, 1);
  test_.clock.advance(3 * kSecond);
  life.nudge();
  EXPECT_EQ(stored(), 0U) << "too early";
  test_.clock.advance(kSecond);
  life.nudge();
  EXPECT_EQ(stored(), 1U);
  EXPECT_EQ(safe_to(), 20U) << "the first is acknowledged, the second stored";
  test_.clock.advance(kSecond);
  life.nudge();
  EXPECT_EQ(stored(), 2U);
  EXPECT_EQ(safe_to(), 30U);
  life.finish();
  // What is in the file has the places under which it was passed on.
  const auto reader = spool::Reader::open(path_, 0);
  ASSERT_TRUE(reader);
  const auto blocks = (*reader)->list({});
  ASSERT_TRUE(blocks);
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_NE(life.collector.lines()[1].find(fmt::format(".{}.0\"", blocks->front().id)), std::string::npos)
      << life.collector.lines()[1];
}

TEST_F(SpillTest, AFullWindowIsEmptiedIntoTheFileWhenNothingMoves) {
  BufferSpec small = spec();
  small.spill_limits.memory = 5000;
  small.spill_limits.patience = 0;
  Life life(small, test_);
  life.take(opening());
  std::size_t most = 0;
  for (int i = 1; i <= 40; ++i) {
    life.take({at(i * 10)});
    life.close();
    most = std::max<std::size_t>(most, static_cast<std::size_t>(i) - stored());
  }
  EXPECT_LT(most, 30U) << "the window has no bound";
  EXPECT_GT(stored(), 0U);
  life.finish();
  Lines all;
  for (int i = 1; i <= 40; ++i) all.push_back(std::to_string(i * 10));
  EXPECT_EQ(numbers(life), all) << "from memory or from the file, each once and in order";
  EXPECT_EQ(stored(), 40U);
}

TEST_F(SpillTest, AFullWindowWaitsForAcknowledgementsBeforeItWrites) {
  BufferSpec small = spec();
  small.spill_limits.memory = 5000;
  small.spill_limits.patience = base::kHour;
  small.spill_limits.age = base::kHour;
  Life life(small, test_);
  std::atomic<bool> over = false;
  std::thread push([&] {
    while (!over) acknowledge(life, life.collector.lines().size());
  });
  life.take(opening());
  for (int i = 1; i <= 100; ++i) {
    life.take({at(i * 10)});
    life.close();
  }
  life.wait_for(100);
  over = true;
  push.join();
  acknowledge(life, 100);
  life.finish();
  EXPECT_EQ(stored(), 0U);
  EXPECT_EQ(safe_to(), 1000U);
}

TEST_F(SpillTest, ASecondConsumerHasEverythingStored) {
  acknowledge(*std::make_unique<Life>(spec(), test_), 0, "archive", true);
  Life life(spec(), test_);
  life.take(opening());
  life.take({at(10)});
  life.close();
  life.wait_for(1);
  acknowledge(life, 1);
  for (int i = 0; i < 6; ++i) life.close();
  EXPECT_EQ(stored(), 1U);
  life.finish();
}

TEST_F(SpillTest, HeldRecordsAreStored) {
  Life life(spec(), test_);
  life.take(opening());
  life.take({at(10), at(20, R"(,"held":true)")});
  life.close();
  life.wait_for(1);
  EXPECT_EQ(held(), (Lines{"20"})) << "before anybody can acknowledge its group";
  acknowledge(life, 1);
  for (int i = 0; i < 6; ++i) life.close();
  EXPECT_EQ(stored(), 1U) << "they alone";
  EXPECT_EQ(safe_to(), 20U);
  life.finish();
  EXPECT_EQ(held(), (Lines{"20"}));
}

TEST_F(SpillTest, AKillNeitherLosesNorDoublesHeldRecords) {
  const auto held_at = [](int end) { return at(end, R"(,"held":true)"); };
  {
    Life life(spec(), test_);
    life.take(opening());
    for (int end : {10, 20, 30}) {
      life.take({at(end), held_at(end + 1)});
      life.close();
    }
    life.wait_for(3);
    EXPECT_EQ(held(), (Lines{"11", "21", "31"}));
    acknowledge(life, 2);  // noted, and never committed
    life.die();
  }
  {
    Life life(spec(), test_);
    EXPECT_EQ(held(), (Lines{"11", "21"})) << "the third comes again";
    life.take(opening());
    for (int end : {10, 20, 30, 40}) life.take({at(end), held_at(end + 1)});
    life.close();
    life.wait_for(2);
    EXPECT_EQ(numbers(life), (Lines{"30", "40"}));
    EXPECT_EQ(held(), (Lines{"11", "21", "31", "41"}));
    life.die();
  }
  Life life(spec(), test_);
  EXPECT_EQ(held(), (Lines{"11", "21"}));
  life.take(opening());
  for (int end : {10, 20, 30, 40}) life.take({at(end), held_at(end + 1)});
  life.finish();
  EXPECT_EQ(numbers(life), (Lines{"30", "40"}));
  EXPECT_EQ(held(), (Lines{"11", "21", "31", "41"}));
}

// Nobody acknowledges the number of a group that had held records alone.
TEST_F(SpillTest, GroupsOfHeldRecordsAloneLeaveAcknowledgementsStanding) {
  {
    Life life(spec(), test_);
    life.take(opening());
    life.take({at(10)});
    life.close();
    life.wait_for(1);
    acknowledge(life, 1);
    for (int end : {20, 30}) {
      life.take({at(end, R"(,"held":true)")});
      test_.clock.advance(10 * kSecond);
      life.nudge();
      ASSERT_EQ(held().size(), static_cast<std::size_t>(end / 10 - 1));
    }
    life.die();
  }
  Life life(spec(), test_);
  EXPECT_GE(safe_to(), 10U);
  life.take(opening());
  life.take({at(10), at(20, R"(,"held":true)"), at(30, R"(,"held":true)"), at(40)});
  life.close();
  life.wait_for(1);
  life.finish();
  EXPECT_EQ(numbers(life), (Lines{"40"})) << "what was acknowledged does not come again";
  EXPECT_EQ(held(), (Lines{"20", "30"}));
}

TEST_F(SpillTest, HeldRecordsWithoutPositionsOutliveAKill) {
  {
    Life life(spec(), test_);
    life.take({R"({"timestamp":"2024-05-01T10:00:00Z","line":"h","labels":{},"held":true})"});
    test_.clock.advance(10 * kSecond);
    life.nudge();
    life.die();
  }
  Life life(spec(), test_);
  EXPECT_EQ(held(), (Lines{"h"}));
  life.finish();
}

TEST_F(SpillTest, AtTheEndWhatNobodyHasAcknowledgedIsStored) {
  {
    Life life(spec(), test_);
    life.take(opening());
    life.take({at(10)});
    life.close();
    life.take({at(20)});
    life.wait_for(1);
    acknowledge(life, 1);
    life.finish();
    EXPECT_EQ(numbers(life), (Lines{"10", "20"}));
  }
  EXPECT_EQ(stored(), 1U);
  EXPECT_EQ(safe_to(), 20U);
  Life life(spec(), test_);
  life.finish();
  EXPECT_EQ(numbers(life), (Lines{"20"})) << "it is passed on again from the file";
}

TEST_F(SpillTest, AKillRepeatsNothingThatWasAcknowledgedAndLosesNothing) {
  {
    Life life(spec(), test_);
    life.take(opening());
    for (int end : {10, 20, 30}) {
      life.take({at(end)});
      life.close();
    }
    life.wait_for(3);
    acknowledge(life, 2);  // noted, and never committed
    EXPECT_EQ(safe_to(), 20U);
    life.die();
  }
  Life life(spec(), test_);
  EXPECT_EQ(safe_to(), 20U);
  // The reader began before that was known, and brings everything again.
  life.take(opening());
  life.take({at(10), at(20), at(30), at(40)});
  life.close();
  life.wait_for(2);
  EXPECT_EQ(numbers(life), (Lines{"30", "40"}));
  acknowledge(life, 2);
  life.finish();
  EXPECT_EQ(safe_to(), 40U);
  EXPECT_EQ(stored(), 0U);
}

TEST_F(SpillTest, MarkersAloneMovePositions) {
  Life life(spec(), test_);
  life.take(opening());
  life.take({R"({"source":"f.1.1.o.50"})"});
  life.close();
  for (int i = 0; i < 6; ++i) life.close();
  EXPECT_EQ(safe_to(), 50U);
  life.take({at(60)});
  life.close();
  life.take({R"({"source":"f.1.1.o.70"})"});
  life.close();
  EXPECT_EQ(safe_to(), 50U) << "not before what is in front of them";
  life.finish();
  EXPECT_EQ(safe_to(), 70U);
}

}  // namespace
}  // namespace weir::stages
