#include "scan/run.h"

#include "record/jsonl_writer.h"

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

TEST(Run, GivesBackWhatWasAddedPackedOrNot) {
  const record::Batch batch = records(5000);
  for (const bool packed : {false, true}) {
    RunWriter writer;
    for (const record::Record& record : batch.records) writer.add(record);
    auto run = writer.finish();
    EXPECT_EQ(run.streams.size(), 4U);
    EXPECT_GT(run.frames.size(), 3U);
    spool::Compressor compressor(spool::Effort::fast);
    spool::Decompressor decompressor;
    std::size_t next = 0;
    OpenFrame open;
    for (Frame& frame : run.frames) {
      EXPECT_EQ(frame.first, batch.records[next].timestamp);
      EXPECT_LE(frame.bytes.size(), 64U << 10U);
      if (packed) {
        std::string bytes;
        compressor.append(bytes, frame.bytes);
        frame.bytes = bytes;
        frame.packed = true;
      }
      for (open.open(frame, run.streams, decompressor, std::numeric_limits<base::Timestamp>::max()); !open.done(); open.pop()) {
        ASSERT_LT(next, batch.records.size());
        ASSERT_EQ(json(open.front()), json(batch.records[next]));
        ++next;
      }
    }
    EXPECT_EQ(next, batch.records.size());
    EXPECT_TRUE(writer.finish().empty());
  }
}

TEST(Run, ALineLongerThanAFrameHasOneOfItsOwn) {
  record::Batch batch = records(3);
  batch.records[1].line = record::Text::bytes(batch.copy(std::string(200'000, 'y')));
  RunWriter writer;
  for (const record::Record& record : batch.records) writer.add(record);
  auto run = writer.finish();
  ASSERT_EQ(run.frames.size(), 3U);
  spool::Decompressor decompressor;
  OpenFrame open;
  open.open(run.frames[1], run.streams, decompressor, 100);
  EXPECT_EQ(open.front().line.data.size(), 200'000U);
}

TEST(Run, WhatIsCutOffDoesNotCome) {
  const record::Batch batch = records(10);
  RunWriter writer;
  for (const record::Record& record : batch.records) writer.add(record);
  auto run = writer.finish();
  spool::Decompressor decompressor;
  OpenFrame open;
  open.open(run.frames[0], run.streams, decompressor, 8);
  open.pop();
  open.cut(3);
  EXPECT_FALSE(open.done());
  open.pop();
  EXPECT_EQ(open.front().timestamp, 2);
  open.pop();
  EXPECT_TRUE(open.done());
}

}  // namespace
}  // namespace weir::scan
