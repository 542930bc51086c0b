#include "spool/consumer.h"

#include "spool/administration.h"
#include "spool/inspection.h"
#include "spool/position_store.h"
#include "spool_fixture.h"
#include "sqlite/database.h"

namespace weir::spool {
namespace {

using base::Code;
using record::Marker;
using record::Record;
using record::Source;
using Lines = std::vector<std::string>;

class ConsumerTest : public SpoolTest {
 protected:
  void SetUp() override {
    const auto writer = open();
    id_ = writer->spool();
    append(*writer, {{"a"}, {"b"}, {"c"}});
    append(*writer, {{"d"}, {"h", true}, {"e"}});
  }
  Verdict see(Consumer& consumer, std::uint64_t block, std::uint32_t ordinal) {
    Record record;
    record.source = Source::in_spool(id_, block, ordinal);
    const auto verdict = consumer.track(record);
    EXPECT_TRUE(verdict) << verdict.error().message;
    return verdict ? *verdict : Verdict::take;
  }
  void mark(Consumer& consumer, Marker::Type type, std::uint64_t block, std::uint32_t ordinal) {
    Marker marker;
    marker.type = type;
    marker.spool = id_;
    Record record;
    record.marker = &marker;
    record.source = Source::in_spool(id_, block, ordinal);
    const auto verdict = consumer.track(record);
    EXPECT_TRUE(verdict) << verdict.error().message;
  }
  std::uint64_t id_ = 0;
};

TEST_F(ConsumerTest, ARestartBringsOnlyWhatIsMissing) {
  {
    const auto main = consumer();
    mark(*main, Marker::Type::begin, 1, 0);
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(see(*main, 1, i), Verdict::take);
    mark(*main, Marker::Type::block, 1, 3);
    main->acknowledge(1, 0, 0);
    main->acknowledge(1, 2, 2);
    ASSERT_TRUE(main->commit());
  }
  EXPECT_EQ(contents(), (Lines{"a:delivered", "b:undelivered", "c:delivered", "d:undelivered", "h:held", "e:undelivered"}));
  const auto main = consumer();
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{1, 1}));
  mark(*main, Marker::Type::begin, 1, 1);
  EXPECT_EQ(see(*main, 1, 1), Verdict::take);
  EXPECT_EQ(see(*main, 1, 2), Verdict::repeat);
  EXPECT_EQ(see(*main, 2, 0), Verdict::take);
}

TEST_F(ConsumerTest, WhatIsMissingInTheStreamWasDroppedOnPurpose) {
  const auto main = consumer();
  mark(*main, Marker::Type::begin, 1, 0);
  EXPECT_EQ(see(*main, 1, 0), Verdict::take);
  mark(*main, Marker::Type::block, 1, 3);  // b and c were filtered away
  EXPECT_EQ(see(*main, 2, 0), Verdict::take);
  EXPECT_EQ(see(*main, 2, 2), Verdict::take);
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{1, 0}));
  main->acknowledge(1, 0, 0);
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{2, 0}));
  main->acknowledge(2, 2, 2);
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{2, 0}));
  main->acknowledge(2, 0, 0);
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{2, 3}));
  mark(*main, Marker::Type::block, 2, 3);
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{3, 0}));
}

TEST_F(ConsumerTest, APositionMarkerCoversTheRecordItStandsFor) {
  const auto main = consumer();
  mark(*main, Marker::Type::begin, 1, 0);
  mark(*main, Marker::Type::position, 1, 1);
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{1, 2}));
}

TEST_F(ConsumerTest, AStreamThatStartsLaterAcknowledgesNothingBeforeIt) {
  const auto main = consumer();
  mark(*main, Marker::Type::begin, 2, 0);
  EXPECT_EQ(see(*main, 2, 0), Verdict::take);
  main->acknowledge(2, 0, 0);
  mark(*main, Marker::Type::block, 2, 3);
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{1, 0}));
  EXPECT_TRUE(main->acknowledged().contains({2, 2}));
}

TEST_F(ConsumerTest, DeliveredMeansByEveryConsumer) {
  const auto main = consumer();
  const auto second = consumer("second");
  acknowledge_before(*main, 3, 0);
  ASSERT_TRUE(main->commit());
  second->acknowledge(1, 0, 0);
  ASSERT_TRUE(second->commit());
  EXPECT_EQ(contents(), (Lines{"a:delivered", "b:undelivered", "c:undelivered", "d:undelivered", "h:held", "e:undelivered"}));
  const auto status = read_status(path());
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->delivered, 1U);
  EXPECT_EQ(status->undelivered, 4U);
  EXPECT_EQ(status->held, 1U);
  ASSERT_EQ(status->consumers.size(), 2U);
  EXPECT_EQ(status->consumers[0].behind_records, 0U);
  EXPECT_EQ(status->consumers[1].name, "second");
  EXPECT_EQ(status->consumers[1].behind_records, 4U);
  EXPECT_TRUE(status->consumers[1].connected);
}

// Lines that were old when they were stored are late from then on; a line of a clock that goes ahead from its own time on.
TEST_F(ConsumerTest, DeliveryIsLateSinceTheLaterOfTimeAndStoring) {
  const auto main = consumer();
  acknowledge_before(*main, 3, 0);
  ASSERT_TRUE(main->commit());
  EXPECT_EQ(read_status(path(), 0, clock_)->late_since(), 0);
  const auto writer = open();
  clock_.advance(base::kHour);
  const base::Timestamp stored = clock_.wall();
  append(*writer, {{"old", false, "web", stored - base::kHour}, {"older", false, "web", stored - 2 * base::kHour}});
  clock_.advance(base::kMinute);
  append(*writer, {{"ahead", false, "web", clock_.wall() + base::kHour}});
  auto status = read_status(path(), 0, clock_);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->oldest_undelivered(), stored - 2 * base::kHour);
  EXPECT_EQ(status->late_since(), stored);
  main->acknowledge(3, 0, 1);
  ASSERT_TRUE(main->commit());
  EXPECT_EQ(read_status(path(), 0, clock_)->late_since(), clock_.wall() + base::kHour);
}

// A burst of some seconds is no rate.
TEST_F(ConsumerTest, HowLongUntilItIsFullIsKnownAfterAMinute) {
  WriterOptions young = options();
  young.path = dir_ / "young.db";
  young.max_size = 64 << 20;
  const auto writer = open(young);
  append(*writer, {{noise(100'000, 1)}});
  clock_.advance(59 * base::kSecond);
  EXPECT_FALSE(read_status(young.path, 0, clock_)->full_in());
  clock_.advance(base::kSecond);
  EXPECT_TRUE(read_status(young.path, 0, clock_)->full_in());
  EXPECT_NEAR(read_status(young.path, 0, clock_)->inflow, 100'000.0 / 60, 100);
}

// Of two streams one waits: what the other has had stays acknowledged, also for the next run, and the status tells them apart.
TEST_F(ConsumerTest, AStreamThatWaitsKeepsItsRecordsAndNoOthers) {
  {
    const auto writer = open();
    append(*writer, {{"1", false, "hot"}, {"2", false, "web"}, {"3", false, "hot"}, {"4", false, "web"}, {"5", false, "hot"}});
  }
  const auto hot = record::LabelSet::intern({{"pod", "hot"}});
  const auto web = record::LabelSet::intern({{"pod", "web"}});
  const std::uint64_t stream = stream_key(*hot, "");
  const auto see = [&](Consumer& consumer, std::uint32_t ordinal) {
    Record record;
    record.labels = ordinal % 2 == 0 ? hot.get() : web.get();
    record.source = Source::in_spool(id_, 3, ordinal);
    return *consumer.track(record);
  };
  const auto hot_lines = [&] {
    const Lines all = contents();
    return Lines(all.end() - 5, all.end());
  };
  {
    const auto main = consumer();
    acknowledge_before(*main, 3, 0);
    mark(*main, Marker::Type::begin, 3, 0);
    for (std::uint32_t i = 0; i < 5; ++i) {
      EXPECT_EQ(see(*main, i), Verdict::take);
      if (i == 1 || i == 3) main->acknowledge(3, i, i);
      if (i == 2 || i == 4) main->leave(stream, {3, i});
      if (i == 0) main->acknowledge(3, 0, 0);
    }
    mark(*main, Marker::Type::block, 3, 5);
    EXPECT_EQ(main->acknowledged().before(), (BlockPlace{3, 2}));
    EXPECT_EQ(main->acknowledged().stretches().size(), 0U);
    ASSERT_TRUE(main->commit());
  }
  EXPECT_EQ(hot_lines(), (Lines{"1:delivered", "2:delivered", "3:undelivered", "4:delivered", "5:undelivered"}));
  auto status = read_status(path());
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->consumers[0].behind_records, 2U);
  EXPECT_EQ(status->undelivered, 2U);
  {
    const auto main = consumer();
    mark(*main, Marker::Type::begin, 3, 2);
    EXPECT_EQ(see(*main, 2), Verdict::take);
    EXPECT_EQ(see(*main, 3), Verdict::repeat);
    EXPECT_EQ(see(*main, 4), Verdict::take);
    mark(*main, Marker::Type::block, 3, 5);
    EXPECT_EQ(main->position(), (BlockPlace{4, 0}));
    main->wait_from(stream, {3, 4});
    ASSERT_TRUE(main->commit());
  }
  EXPECT_EQ(hot_lines(), (Lines{"1:delivered", "2:delivered", "3:delivered", "4:delivered", "5:undelivered"}));
  {
    const auto main = consumer();
    main->stop_waiting(stream);
    ASSERT_TRUE(main->commit());
  }
  EXPECT_EQ(hot_lines().back(), "5:delivered");
}

TEST_F(ConsumerTest, RejectedRecordsAreStoredAndAcknowledged) {
  const auto main = consumer();
  main->reject(1, 1, {.status = 400, .reason = "too old", .url = "http://loki", .tenant = "t", .record = R"({"line":"b"})"});
  ASSERT_TRUE(main->commit());
  EXPECT_EQ(contents()[1], "b:rejected");
  std::string seen;
  const auto from = reader();
  const auto last = from->rejected(0, 10, [&](const Reader::RejectedEntry& entry) {
    seen += fmt::format("{} {} {} {} {} {}.{} {}", entry.status, entry.reason, entry.url, entry.tenant, entry.consumer,
                        entry.place.block, entry.place.ordinal, entry.record);
  });
  EXPECT_EQ(seen, R"(400 too old http://loki t main 1.1 {"line":"b"})");
  EXPECT_EQ(*last, 1U);
  EXPECT_EQ(*from->rejected(*last, 10, [](const Reader::RejectedEntry&) {}), 0U);
}

TEST_F(ConsumerTest, OneProcessAName) {
  const auto main = consumer();
  const auto second = Consumer::open({.path = path(), .wait = 0}, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_NE(second.error().message.find("consumer 'main'"), std::string::npos);
  consumer("other");
}

TEST_F(ConsumerTest, WritesOnlyIntoTheSpoolItWasToldOf) {
  const auto refuse = [&](ConsumerOptions options, Code code, std::string_view fragment) {
    options.wait = 0;
    const auto opened = Consumer::open(options, clock_);
    ASSERT_FALSE(opened) << fragment;
    EXPECT_EQ(opened.error().code, code);
    EXPECT_NE(opened.error().message.find(fragment), std::string::npos) << opened.error().message;
  };
  refuse({.path = path(), .spool = id_ + 1}, Code::usage, "another spool");
  refuse({.path = path(), .name = "../evil"}, Code::usage, "consumer name");
  refuse({.path = path(), .name = ""}, Code::usage, "consumer name");
  refuse({.path = dir_ / "absent.db"}, Code::io, "absent.db");

  const auto main = consumer();
  Record record;
  record.source = Source::in_spool(id_ + 1, 1, 0);
  EXPECT_EQ(main->track(record).error().code, Code::usage);
}

TEST_F(ConsumerTest, EvictedBlocksAreNothingToWaitFor) {
  WriterOptions small = options();
  small.max_size = 4 << 20;
  small.on_full = OnFull::drop_oldest;
  consumer();
  {
    const auto writer = open(small);
    for (unsigned i = 0; i < 30; ++i) append(*writer, {{noise(300'000, i)}});
  }
  const auto oldest = reader()->list({})->front().id;
  EXPECT_GT(oldest, 2U);
  EXPECT_EQ(consumer()->acknowledged().before(), (BlockPlace{oldest, 0}));
}

TEST_F(ConsumerTest, WhatIsNotedOutlivesItsProcess) {
  {
    const auto main = consumer();
    main->acknowledge(1, 0, 1);
    EXPECT_TRUE(main->note());
    main->acknowledge(1, 2, 2);  // not noted: sent again
  }
  {
    const auto main = consumer();
    EXPECT_EQ(main->acknowledged().before(), (BlockPlace{1, 2}));
    // Dies before it has committed what it found.
  }
  const auto main = consumer();
  EXPECT_EQ(main->acknowledged().before(), (BlockPlace{1, 2}));
  ASSERT_TRUE(main->commit());
  EXPECT_EQ(contents().at(1), "b:delivered");
}

TEST_F(ConsumerTest, ANoteBuildsOnItsRowAndNoOther) {
  {
    const auto main = consumer();
    main->acknowledge(1, 0, 0);
    ASSERT_TRUE(main->commit());
    main->acknowledge(1, 1, 2);
    EXPECT_TRUE(main->note());
  }
  // A power cut took back the last commit, and with it perhaps the blocks that were acknowledged.
  auto database = sqlite::Database::open(path(), sqlite::Access::write, 0);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("UPDATE consumers SET updated = updated - 1"));
  EXPECT_EQ(consumer()->acknowledged().before(), (BlockPlace{1, 1}));
  ASSERT_TRUE(database->execute("UPDATE consumers SET updated = updated + 1"));
  EXPECT_EQ(consumer()->acknowledged().before(), (BlockPlace{1, 3}));
}

TEST_F(ConsumerTest, ANoteGoesWithTheNameThatIsForgotten) {
  {
    const auto main = consumer();
    main->acknowledge(1, 0, 2);
    EXPECT_TRUE(main->note());
  }
  ASSERT_TRUE(forget_consumer(path(), "main", clock_));
  clock_.advance(base::kSecond);
  EXPECT_EQ(consumer()->acknowledged().before(), (BlockPlace{1, 0}));
}

TEST_F(ConsumerTest, ARejectionIsNotedByItsCommitOnly) {
  {
    const auto main = consumer();
    main->acknowledge(1, 0, 0);
    main->reject(1, 1, {.status = 400, .reason = "no", .record = "{}"});
    EXPECT_FALSE(main->note()) << "acknowledged, and its record lost with the process";
  }
  EXPECT_EQ(consumer()->acknowledged().before(), (BlockPlace{1, 0}));
}

TEST_F(ConsumerTest, NumbersOfNotedBlocksAreNotGivenOutAgain) {
  {
    const auto main = consumer();
    main->acknowledge(40, 0, 5);
    EXPECT_TRUE(main->note());
  }
  EXPECT_GT(append(*open(), {{"new"}}).block, 40U);
}

TEST_F(SpoolTest, APositionStoreKeepsPositionsAndRejections) {
  const std::string file = dir_ / "checkpoint.db";
  const auto announce = [](Keeper& keeper) {
    Marker marker;
    marker.type = Marker::Type::generation;
    marker.log_key = marker.file.path = "/a.log";
    marker.file.inode = 3;
    Record record;
    record.marker = &marker;
    record.source = Source::in_file(1, 1, 0, 0);
    ASSERT_TRUE(keeper.track(record));
  };
  {
    auto store = PositionStore::open(file, 0, clock_);
    ASSERT_TRUE(store) << store.error().message;
    auto keeper = (*store)->load();
    announce(*keeper);
    for (std::uint64_t end = 1; end <= 500; ++end) {
      keeper->advance(Source::in_file(1, 1, 0, end));
      ASSERT_TRUE((*store)->commit(*keeper));
    }
    (*store)->reject({.status = 400, .reason = "no", .record = "{}"});
    ASSERT_TRUE((*store)->commit(*keeper));
    EXPECT_EQ(PositionStore::open(file, 0, clock_).error().code, Code::busy);
  }
  EXPECT_EQ(read_positions(file, 0)->at("/a.log").resume.offset, 500U);
  EXPECT_EQ(read_status(file)->rejected, 1U);
  auto store = PositionStore::open(file, 0, clock_);
  auto keeper = (*store)->load();
  EXPECT_EQ(keeper->positions().at("/a.log").resume.offset, 500U);

  // Noted and not committed: the next process has it all the same, and only once.
  announce(*keeper);
  keeper->advance(Source::in_file(1, 1, 0, 600));
  EXPECT_TRUE((*store)->note(*keeper));
  (*store)->reject({.status = 400, .reason = "no", .record = "{}"});
  keeper->advance(Source::in_file(1, 1, 0, 700));
  EXPECT_FALSE((*store)->note(*keeper));
  store->reset();
  store = PositionStore::open(file, 0, clock_);
  EXPECT_EQ((*store)->load()->positions().at("/a.log").resume.offset, 600U);
  EXPECT_EQ(read_positions(file, 0)->at("/a.log").resume.offset, 600U);
  keeper = (*store)->load();
  announce(*keeper);
  keeper->advance(Source::in_file(1, 1, 0, 800));
  ASSERT_TRUE((*store)->commit(*keeper));
  store->reset();
  EXPECT_EQ(read_positions(file, 0)->at("/a.log").resume.offset, 800U) << "an old note has come back";
}

}  // namespace
}  // namespace weir::spool
