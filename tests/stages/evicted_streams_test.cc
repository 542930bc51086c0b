#include "stages/evicted_streams.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::stages {
namespace {

using base::kSecond;
using spool::EvictedStream;

constexpr base::Timestamp kTen = 1'714'557'600 * kSecond;  // 2024-05-01T10:00:00Z

EvictedStream evicted(std::uint64_t block, std::string_view pod, std::uint32_t records, std::uint64_t bytes,
                      base::Timestamp from = kTen, base::Timestamp to = kTen, const std::string& tenant = "") {
  return {block, {record::LabelSet::intern({{"pod", pod}}), tenant, from, to, records, bytes}};
}

struct Gap {
  std::string pod, tenant, bytes, line;
  base::Timestamp time = 0;
};

class EvictedStreamsTest : public testing::Test {
 protected:
  void add(const std::vector<EvictedStream>& all, base::Monotonic now = kSecond) { streams_.add(all, now); }
  // What is told, after the records that the block has.
  std::vector<Gap> tell(std::uint64_t block) {
    const std::size_t before = open_.records();
    const std::uint64_t count = streams_.tell(open_);
    std::vector<Gap> gaps;
    for (std::size_t i = before; i < open_.records(); ++i) {
      const record::Record& record = open_.batch().records[i];
      EXPECT_TRUE(record::is_gap(record));
      EXPECT_EQ(record.source.kind, record::Source::Kind::none);
      gaps.push_back({std::string(record.labels->get("pod")), std::string(record.tenant),
                      std::string(record::find(record.metadata, record::kGapBytes)), std::string(record.line.data),
                      record.timestamp});
    }
    EXPECT_EQ(gaps.size(), count);
    streams_.stored(block);
    open_.take();
    return gaps;
  }

  EvictedStreams streams_;
  spool::BlockBuilder open_;
};

TEST_F(EvictedStreamsTest, SumsUpByLabelsAndTenant) {
  add({evicted(1, "web", 1000, 50'000, kTen, kTen + kSecond), evicted(1, "db", 1, 12), evicted(1, "web", 2, 5, kTen, kTen, "a")});
  add({evicted(2, "web", 234, 7344, kTen + kSecond, kTen + 3 * kSecond)});
  const auto gaps = tell(3);
  ASSERT_EQ(gaps.size(), 3U);
  EXPECT_EQ(gaps[0].line,
            "weir: 1,234 records, 56.0 KiB, of this stream were evicted from the spool before they were delivered; their times are "
            "2024-05-01T10:00:00Z to 2024-05-01T10:00:03Z");
  EXPECT_EQ(gaps[0].bytes, "57344");
  EXPECT_EQ(gaps[0].time, kTen + 3 * kSecond);
  EXPECT_EQ(gaps[1].line,
            "weir: 1 record, 12 B, of this stream was evicted from the spool before it was delivered; its time is "
            "2024-05-01T10:00:00Z");
  EXPECT_EQ(gaps[1].pod, "db");
  EXPECT_EQ(gaps[2].pod, "web");
  EXPECT_EQ(gaps[2].tenant, "a");
  EXPECT_EQ(gaps[2].bytes, "5");
  EXPECT_TRUE(tell(4).empty()) << "each loss once";
}

TEST_F(EvictedStreamsTest, IsDueAWhileAfterTheFirstEviction) {
  EXPECT_EQ(streams_.due(), base::kNever);
  streams_.hurry();
  EXPECT_EQ(streams_.due(), base::kNever) << "there is nothing to tell";
  add({}, kSecond);
  EXPECT_EQ(streams_.due(), base::kNever);
  add({evicted(1, "web", 1, 1)}, 5 * kSecond);
  add({evicted(2, "web", 1, 1)}, 30 * kSecond);
  EXPECT_EQ(streams_.due(), 5 * kSecond + EvictedStreams::kEvery);
  streams_.hurry();
  EXPECT_LE(streams_.due(), 0);
  EXPECT_EQ(tell(3).size(), 1U);
  EXPECT_EQ(streams_.due(), base::kNever);
}

TEST_F(EvictedStreamsTest, TheTimeIsNotBehindTheStreamInTheBlock) {
  record::Batch batch;
  for (const std::string_view pod : {"web", "other"}) {
    for (const int second : {60, 50}) {
      record::Record& record = batch.records.emplace_back();
      record.timestamp = kTen + second * kSecond + (pod == "other" ? 100 * kSecond : 0);
      record.labels = batch.hold(record::LabelSet::intern({{"pod", pod}}));
      open_.add(record);
    }
  }
  add({evicted(1, "web", 1, 1), evicted(1, "db", 1, 1)});
  const auto gaps = tell(2);
  ASSERT_EQ(gaps.size(), 2U);
  EXPECT_EQ(gaps[0].time, kTen + 60 * kSecond);
  EXPECT_EQ(gaps[1].time, kTen);
  EXPECT_NE(gaps[0].line.find("its time is 2024-05-01T10:00:00Z"), std::string::npos) << "of the record, not of the gap record";
}

TEST_F(EvictedStreamsTest, WhatAnEvictedGapRecordToldOfIsToldAgain) {
  add({evicted(1, "web", 10, 100, kTen, kTen + kSecond), evicted(1, "db", 3, 30)});
  ASSERT_EQ(tell(5).size(), 2U);
  // The block of the gap records goes, with them and a record of another stream.
  add({evicted(5, "web", 1, 90, kTen + kSecond, kTen + kSecond), evicted(5, "db", 1, 80), evicted(5, "other", 1, 7)});
  const auto gaps = tell(9);
  ASSERT_EQ(gaps.size(), 3U);
  std::map<std::string, std::string> bytes;
  for (const Gap& gap : gaps) bytes[gap.pod] = gap.bytes;
  EXPECT_EQ(bytes, (std::map<std::string, std::string>{{"web", "190"}, {"db", "110"}, {"other", "7"}}));
  // Block 9 was delivered, since a newer one is evicted.
  add({evicted(10, "web", 1, 1)});
  add({evicted(9, "web", 1, 1)});
  const auto later = tell(11);
  ASSERT_EQ(later.size(), 1U);
  EXPECT_EQ(later[0].bytes, "2");
}

TEST_F(EvictedStreamsTest, BeyondTheBoundTheFirstStreamStandsForTheOthers) {
  std::vector<EvictedStream> many;
  for (std::size_t i = 0; i < EvictedStreams::kMostStreams + 50; ++i) many.push_back(evicted(1, fmt::format("pod{}", i), 1, 10));
  add(many);
  const auto gaps = tell(2);
  ASSERT_EQ(gaps.size(), EvictedStreams::kMostStreams);
  EXPECT_EQ(gaps[0].bytes, "510");
  EXPECT_NE(gaps[0].line.find("51 records, 510 B, of this stream and of others were evicted"), std::string::npos) << gaps[0].line;
  EXPECT_EQ(gaps[1].bytes, "10");
}

TEST_F(EvictedStreamsTest, TheLatestGapRecordsAreRemembered) {
  const std::size_t blocks = EvictedStreams::kMostTold / EvictedStreams::kMostStreams + 1;
  std::vector<EvictedStream> many;
  for (std::size_t i = 0; i < EvictedStreams::kMostStreams; ++i) many.push_back(evicted(1, fmt::format("pod{}", i), 1, 10));
  for (std::size_t i = 0; i < blocks; ++i) {
    add(many);
    ASSERT_EQ(tell(100 + i).size(), EvictedStreams::kMostStreams);
  }
  add({evicted(100, "pod0", 1, 1), evicted(101, "pod0", 1, 1)});
  EXPECT_EQ(tell(1000).front().bytes, "12") << "that of block 100 is forgotten";
}

}  // namespace
}  // namespace weir::stages
