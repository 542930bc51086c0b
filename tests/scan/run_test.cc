#include "scan/run.h"

#include "record/jsonl_writer.h"
#include "scan/frame_packer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace weir::scan {
namespace {

std::string json(const record::Record& record) {
  std::string text;
  record::append_jsonl(text, record);
  return text;
}

record::Batch records(int count) {
  record::Batch batch;
  for (int i = 0; i < count; ++i) {
    record::Record record;
    record.timestamp = i;
    record.labels = batch.hold(record::LabelSet::intern({{"pod", i % 3 == 0 ? "a" : "b"}}));
    record.line =
        record::Text::bytes(batch.copy(fmt::format("line \"{}\" {}", i, std::string(static_cast<std::size_t>(i % 50), 'x'))));
    if (i % 5 == 0) record.line.form = record::Text::Form::bytes;
    if (i % 7 == 0) record.tenant = "t";
    record.held = i % 11 == 0;
    record.invalid = i % 13 == 0;
    const auto metadata = batch.allocate_labels(i % 2 == 0 ? 2 : 0);
    if (!metadata.empty()) {
      metadata[0] = {"level", "info"};
      metadata[1] = {"trace", batch.copy(std::to_string(i))};
    }
    record.metadata = metadata;
    if (i % 17 == 0) {
      auto* extra = batch.make<record::Extra>();
      extra->unknown = R"("k":1)";
      extra->parsed = R"({"a":"b"})";
      record.extra = extra;
    }
    batch.records.push_back(record);
  }
  return batch;
}

class RunTest : public ::testing::Test {
 protected:
  scan::Run run_of(const record::Batch& batch) {
    for (const record::Record& record : batch.records) writer.add(record);
    return writer.finish();
  }
  static record::Record take(OpenFrame& open) {
    record::Record record;
    open.take(record);
    return record;
  }

  FrameMemory memory;
  RunWriter writer{memory};
  FramePacker packer{memory};
};

TEST_F(RunTest, GivesBackWhatWasAddedPackedOrNot) {
  const record::Batch batch = records(5000);
  for (const bool packed : {false, true}) {
    scan::Run run = run_of(batch);
    EXPECT_EQ(run.streams.size(), 4U);
    EXPECT_GT(run.frames.size(), 3U);
    std::size_t next = 0;
    OpenFrame open;
    for (Frame& frame : run.frames) {
      EXPECT_EQ(frame.first, batch.records[next].timestamp);
      EXPECT_LE(frame.bytes.held(), FrameMemory::kPiece);
      if (packed) {
        packer.pack(frame);
        EXPECT_TRUE(frame.packed());
        EXPECT_LT(frame.bytes.held(), FrameMemory::kPiece / 2);
        packer.unpack(frame);
      }
      for (open.open(frame, run.streams, std::numeric_limits<base::Timestamp>::max()); !open.done(); ++next) {
        ASSERT_LT(next, batch.records.size());
        EXPECT_EQ(open.time(), batch.records[next].timestamp);
        ASSERT_EQ(json(take(open)), json(batch.records[next]));
      }
      open.close();
    }
    EXPECT_EQ(next, batch.records.size());
    EXPECT_TRUE(writer.finish().empty());
  }
}

TEST_F(RunTest, ALineLongerThanAFrameHasOneOfItsOwn) {
  record::Batch batch = records(3);
  batch.records[1].line = record::Text::bytes(batch.copy(std::string(200'001, 'y')));
  scan::Run run = run_of(batch);
  ASSERT_EQ(run.frames.size(), 3U);
  packer.pack(run.frames[1]);
  EXPECT_TRUE(run.frames[1].packed());
  packer.unpack(run.frames[1]);
  for (std::size_t i = 0; i < 3; ++i) {
    OpenFrame open;
    open.open(run.frames[i], run.streams, 100);
    EXPECT_EQ(json(take(open)), json(batch.records[i]));
    EXPECT_TRUE(open.done());
  }
}

// The set of the record before is in another frame.
TEST_F(RunTest, AFrameHasTheSetsOfItsRecords) {
  record::Batch batch = records(1);
  const auto metadata = batch.allocate_labels(1);
  metadata[0] = {"trace", batch.copy(std::string(30'000, 't'))};
  for (int i = 0; i < 9; ++i) {
    record::Record record = batch.records[0];
    record.metadata = metadata;
    record.line = record::Text::bytes(batch.copy(std::string(20'000, static_cast<char>('a' + i))));
    batch.records.push_back(record);
  }
  scan::Run run = run_of(batch);
  EXPECT_GT(run.frames.size(), 2U);
  std::size_t next = 0;
  OpenFrame open;
  for (Frame& frame : run.frames) {
    for (open.open(frame, run.streams, 100); !open.done(); ++next) EXPECT_EQ(json(take(open)), json(batch.records[next]));
  }
  EXPECT_EQ(next, batch.records.size());
}

TEST_F(RunTest, AFewRecordsTakeLittleMemory) {
  const scan::Run run = run_of(records(10));
  ASSERT_EQ(run.frames.size(), 1U);
  EXPECT_LT(run.frames[0].bytes.held(), 3000U);
}

TEST_F(RunTest, WhatIsCutOffDoesNotCome) {
  scan::Run run = run_of(records(10));
  OpenFrame open;
  open.open(run.frames[0], run.streams, 8);
  take(open);
  open.cut(3);
  EXPECT_FALSE(open.done());
  take(open);
  EXPECT_EQ(open.time(), 2);
  take(open);
  EXPECT_TRUE(open.done());
}

}  // namespace
}  // namespace weir::scan
