#include "delivery/delivery_ledger.h"

#include "spool/reader.h"
#include "spool/writer.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::delivery {
namespace {

using spool::BlockPlace;

// One block of a spool: records 0, 2, 4, … of stream `hot`, the others of `calm`.
class LedgerTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kRecords = 10;

  LedgerTest() : path_(dir_ / "spool.db") {
    auto writer = spool::Writer::open({.path = path_, .min_free = 0}, test_.clock, nullptr);
    EXPECT_TRUE(writer);
    spool_ = (*writer)->spool();
    spool::BlockBuilder builder;
    for (std::uint32_t i = 0; i < kRecords; ++i) builder.add(record(i));
    EXPECT_TRUE((*writer)->append(builder, nullptr));
    EXPECT_TRUE((*writer)->close());
    start();
  }

  record::Record record(std::uint32_t ordinal) {
    record::Record record;
    record.timestamp = test_.clock.wall();
    record.labels = ordinal % 2 == 0 ? hot_.get() : calm_.get();
    record.line = record::Text::bytes("line");
    record.source = record::Source::in_spool(spool_, 1, ordinal);
    return record;
  }
  // A new process of the same name; the one before it was killed.
  void start() {
    ledger_.reset();
    ledger_ = std::make_unique<DeliveryLedger>("http://loki", test_.clock, test_.diagnostics, nullptr);
    const auto opened = ledger_->consume_spool({.path = path_, .spool = spool_, .wait = 0});
    ASSERT_TRUE(opened) << opened.error().message;
    mark(record::Marker::Type::begin, 0);
  }
  void mark(record::Marker::Type type, std::uint32_t ordinal) {
    record::Marker marker;
    marker.type = type;
    marker.spool = spool_;
    record::Record record;
    record.labels = record::LabelSet::empty().get();
    record.marker = &marker;
    record.source = record::Source::in_spool(spool_, 1, ordinal);
    ASSERT_TRUE(ledger_->track_marker(record));
  }
  std::optional<loki::PushToken> track(std::uint32_t ordinal) {
    auto token = ledger_->track(record(ordinal));
    EXPECT_TRUE(token);
    return *token;
  }
  void deliver(std::vector<loki::PushToken> tokens) { ledger_->delivered(tokens); }
  // What the next process would find: 1 for each record that is acknowledged.
  std::string acknowledged() {
    EXPECT_TRUE(ledger_->commit());
    return committed();
  }
  std::string committed() {
    auto reader = spool::Reader::open(path_);
    auto places = (*reader)->acknowledged("main");
    std::string out;
    for (std::uint32_t i = 0; i < kRecords; ++i) out += (*places)->has({1, i}, record(i)) ? '1' : '0';
    return out;
  }

  test::TempDir dir_;
  test::TestContext test_;
  std::string path_;
  std::uint64_t spool_ = 0;
  record::LabelSetRef hot_ = record::LabelSet::intern({{"app", "hot"}});
  record::LabelSetRef calm_ = record::LabelSet::intern({{"app", "calm"}});
  std::unique_ptr<DeliveryLedger> ledger_;
};

TEST_F(LedgerTest, WhatIsLeftIsNotAcknowledgedUntilItIsReadAgain) {
  std::vector<loki::PushToken> calm;
  const auto first = *track(0);
  for (std::uint32_t i = 1; i < kRecords; ++i) {
    const auto token = *track(i);
    if (i % 2 == 1) {
      calm.push_back(token);
    } else {
      ledger_->leave(record(i), token);
    }
  }
  mark(record::Marker::Type::block, kRecords);
  EXPECT_EQ(acknowledged(), "0000000000");
  deliver(calm);
  EXPECT_EQ(acknowledged(), "0101010101");
  deliver({first});
  EXPECT_EQ(acknowledged(), "1101010101");

  std::vector<loki::PushToken> again;
  for (std::uint32_t i = 2; i < kRecords; i += 2) again.push_back(ledger_->read_again(record(i)));
  ledger_->resume(spool::stream_key(*hot_, ""));
  deliver({again[1]});
  EXPECT_EQ(acknowledged(), "1101010101");  // in their order
  deliver({again[0]});
  EXPECT_EQ(acknowledged(), "1111110101");
  deliver({again[2], again[3]});
  EXPECT_EQ(acknowledged(), "1111111111");
}

// The first record of the stream was on its way when the others were left, and did not arrive. The next process is killed, too.
TEST_F(LedgerTest, ARecordBeforeThoseThatWaitIsNotForgotten) {
  static_cast<void>(track(0));
  ledger_->leave(record(2), (static_cast<void>(*track(1)), *track(2)));
  EXPECT_EQ(acknowledged().substr(0, 3), "000");
  start();
  static_cast<void>(track(0));
  static_cast<void>(track(1));
  EXPECT_EQ(acknowledged().substr(0, 3), "000");
  start();
  EXPECT_TRUE(track(0));
  // And it may be left itself now.
  ledger_->leave(record(0), kNoToken);
  EXPECT_EQ(acknowledged().substr(0, 3), "000");
  start();
  EXPECT_TRUE(track(0));
}

TEST_F(LedgerTest, AStreamThatWaitsIsKnownAfterARestart) {
  for (std::uint32_t i = 0; i < kRecords; ++i) {
    const auto token = *track(i);
    if (i % 2 == 1) {
      deliver({token});
    } else {
      ledger_->leave(record(i), token);
    }
  }
  mark(record::Marker::Type::block, kRecords);
  EXPECT_EQ(acknowledged(), "0101010101");
  start();
  std::vector<loki::PushToken> hot;
  for (std::uint32_t i = 0; i < kRecords; ++i) {
    const auto token = track(i);
    EXPECT_EQ(token.has_value(), i % 2 == 0) << i;
    if (token) hot.push_back(*token);
  }
  deliver({hot[0], hot[1]});
  EXPECT_EQ(acknowledged(), "1111010101");
  mark(record::Marker::Type::block, kRecords);
  EXPECT_EQ(acknowledged(), "1111010101");
  deliver({hot[4], hot[2], hot[3]});
  EXPECT_EQ(acknowledged(), "1111111111");
}

TEST_F(LedgerTest, ARejectionOfAStreamThatWaitsHasItsPlace) {
  ledger_->leave(record(0), *track(0));
  const auto token = ledger_->read_again(record(0));
  ledger_->resume(spool::stream_key(*hot_, ""));
  const record::Record refused = record(0);
  ledger_->rejected(token, {400, "too_old", "too old", "", &refused});
  EXPECT_EQ(acknowledged()[0], '1');
  auto reader = spool::Reader::open(path_);
  BlockPlace place;
  static_cast<void>((*reader)->rejected(0, 10, [&](const spool::Reader::RejectedEntry& entry) { place = entry.place; }));
  EXPECT_EQ(place, (BlockPlace{1, 0}));
}

// What push settles by itself (nothing matches, all is too old) is stored, although no answer ever comes.
TEST_F(LedgerTest, WhatNoAnswerBringsIsStoredWithinASecond) {
  EXPECT_EQ(ledger_->commit_pending(test_.clock.monotonic()), test_.clock.monotonic() + base::kSecond);  // the `begin` marker
  for (std::uint32_t i = 0; i < 4; ++i) ledger_->settle(*track(i));
  const record::Record refused = record(4);
  ledger_->rejected(*track(4), {0, "greater_than_max_sample_age", "too old", "", &refused});
  EXPECT_EQ(ledger_->commit_pending(test_.clock.monotonic()), test_.clock.monotonic() + base::kSecond);
  EXPECT_EQ(committed(), "0000000000");
  test_.clock.advance(base::kSecond);
  EXPECT_EQ(ledger_->commit_pending(test_.clock.monotonic()), base::kNever);
  EXPECT_EQ(committed(), "1111100000");
  EXPECT_EQ(ledger_->commit_pending(test_.clock.monotonic()), base::kNever);
}

TEST_F(LedgerTest, ManyAreStoredAtOnce) {
  const auto token = *track(0);
  for (int i = 0; i < 100'000; ++i) ledger_->settle(token);
  ledger_->commit_pending(test_.clock.monotonic());
  EXPECT_EQ(committed(), "1000000000");
}

// A refusal for the time leaves the record where it is; so does whatever is refused in masses.
TEST_F(LedgerTest, RowsAreForExceptions) {
  const std::string line(10'000, 'x');
  const std::array tokens = {*track(0), *track(1)};
  const auto refuse = [&](std::uint32_t ordinal, std::string_view reason, std::string_view text) {
    record::Record refused = record(ordinal);
    refused.line = record::Text::bytes(line);
    ledger_->rejected(tokens[ordinal], {400, reason, text, "", &refused});
  };
  refuse(0, "greater_than_max_sample_age",
         "entry for stream '{app=\"hot\"}' has timestamp too old: 2025-10-01T00:00:00Z, oldest acceptable timestamp is: "
         "2025-10-09T06:00:00Z");
  for (int i = 0; i < 10'000; ++i) refuse(1, "line_too_long", "max entry size");
  EXPECT_EQ(acknowledged(), "1100000000");
  auto reader = spool::Reader::open(path_);
  int rows = 0;
  ASSERT_TRUE((*reader)->rejected(0, 100'000, [&](const spool::Reader::RejectedEntry&) { ++rows; }));
  EXPECT_GT(rows, 50);
  EXPECT_LT(rows, 150);
  const auto ranges = (*reader)->rejected_ranges(0);
  ASSERT_TRUE(ranges);
  ASSERT_EQ(ranges->size(), 2U);
  EXPECT_EQ(ranges->front().reason, "entry has timestamp too old, oldest acceptable timestamp is: 2025-10-09T06:00:00Z");
  EXPECT_EQ(ranges->back().kind, "line_too_long");
}

// Records from the rejected store come beside the spool's own stream. One ledger keeps both.
TEST_F(LedgerTest, ARedeliveryStandsBesideTheConsumer) {
  const record::Record refused = record(0);
  for (const std::uint32_t i : {0U, 1U}) ledger_->rejected(*track(i), {400, "refused", "no", "", &refused});
  EXPECT_EQ(acknowledged(), "1100000000");
  ASSERT_TRUE(ledger_->deliver_again(path_, spool_));
  ASSERT_TRUE(ledger_->deliver_again(path_, spool_));  // a second marker of the same store does not wait for itself
  EXPECT_FALSE(ledger_->redelivers_another(spool_));
  EXPECT_TRUE(ledger_->redelivers_another(spool_ + 1));
  const auto token_of = [&](std::uint64_t row) {
    record::Record again = record(0);
    again.source = record::Source::in_rejected(spool_, row);
    auto token = ledger_->track(again);
    EXPECT_TRUE(token && *token);
    return **token;
  };
  const auto first = token_of(1), second = token_of(2);
  deliver({first, *track(2), second, *track(3)});
  EXPECT_EQ(acknowledged(), "1111000000");
  auto reader = spool::Reader::open(path_);
  int rows = 0;
  ASSERT_TRUE((*reader)->rejected(0, 100, [&](const spool::Reader::RejectedEntry&) { ++rows; }));
  EXPECT_EQ(rows, 0);
}

TEST_F(LedgerTest, ARowThatIsRefusedAgainStays) {
  const record::Record refused = record(0);
  ledger_->rejected(*track(0), {400, "refused", "no", "", &refused});
  EXPECT_EQ(acknowledged()[0], '1');
  ASSERT_TRUE(ledger_->deliver_again(path_, spool_));
  record::Record again = record(0);
  again.source = record::Source::in_rejected(spool_, 1);
  ledger_->rejected(**ledger_->track(again), {400, "refused", "still no", "", &again});
  ASSERT_TRUE(ledger_->commit());
  auto reader = spool::Reader::open(path_);
  std::string reason;
  ASSERT_TRUE((*reader)->rejected(0, 100, [&](const spool::Reader::RejectedEntry& entry) { reason = entry.reason; }));
  EXPECT_EQ(reason, "still no");
}

// The rows of another store, and all rows before a store is open, are not tracked.
TEST_F(LedgerTest, ARowOfAnotherStoreIsNotTracked) {
  record::Record row = record(0);
  row.source = record::Source::in_rejected(spool_, 1);
  EXPECT_EQ(**ledger_->track(row), kNoToken);
  ASSERT_TRUE(ledger_->deliver_again(path_, spool_));
  EXPECT_NE(**ledger_->track(row), kNoToken);
  row.source = record::Source::in_rejected(spool_ + 1, 1);
  EXPECT_EQ(**ledger_->track(row), kNoToken);
  EXPECT_FALSE(ledger_->deliver_again(path_, spool_ + 1));
}

TEST(DeliveryLedger, NothingIsTrackedWhereNothingWasOpened) {
  test::TestContext test;
  DeliveryLedger ledger("http://loki", test.clock, test.diagnostics, nullptr);
  record::Record record;
  record.line = record::Text::bytes("line");
  EXPECT_FALSE(ledger.tracks());
  EXPECT_FALSE(ledger.listens());
  EXPECT_EQ(**ledger.track(record), kNoToken);
  ledger.settle(kNoToken);
  ledger.rejected(kNoToken, {400, "refused", "no", "", &record});
  EXPECT_EQ(ledger.commit_due(0), base::kNever);
  EXPECT_EQ(ledger.commit_pending(0), base::kNever);
  EXPECT_TRUE(ledger.commit());
  EXPECT_TRUE(ledger.close());
}

}  // namespace
}  // namespace weir::delivery
